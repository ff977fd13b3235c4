package module

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// processTree is a program in a job object, which its descendants cannot
// leave. Windows ends the job if the executor dies. What is left of it after
// the program's own end lives on, as background children should.
type processTree struct {
	mark string // NAME=value in the environment of the program
	job  windows.Handle
}

// prepare has the program wait before its first instruction: whatever it
// started before it is in the job would escape.
func (t *processTree) prepare(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.HideWindow = true
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_SUSPENDED
}

func (t *processTree) started(cmd *exec.Cmd) error {
	pid := uint32(cmd.Process.Pid)
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer windows.CloseHandle(process)
	if t.job, err = windows.CreateJobObject(nil, nil); err != nil {
		return fmt.Errorf("creating job object: %w", err)
	}
	err = t.endWithExecutor(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)
	if err == nil {
		err = windows.AssignProcessToJobObject(t.job, process)
	}
	if err == nil {
		err = resume(pid)
	}
	if err != nil {
		t.release()
		return fmt.Errorf("starting process %d in a job object: %w", pid, err)
	}
	return nil
}

// endWithExecutor sets what happens when the last handle of the job is closed.
func (t *processTree) endWithExecutor(flags uint32) error {
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = flags
	_, err := windows.SetInformationJobObject(t.job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	return err
}

// resume starts the threads of a process that was created suspended: it has
// one. The program's own handles are not ours to use, package os hides them.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("listing threads: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		if err := resumeThread(entry.ThreadID); err != nil {
			return fmt.Errorf("resuming thread %d: %w", entry.ThreadID, err)
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return fmt.Errorf("listing threads: %w", err)
	}
	return nil
}

func resumeThread(id uint32) error {
	thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, id)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(thread)
	_, err = windows.ResumeThread(thread)
	return err
}

// release lets the background children go.
func (t *processTree) release() {
	_ = t.endWithExecutor(0) // without it they end now: the lesser evil
	windows.CloseHandle(t.job)
}

// end terminates the job: Windows has no gentler signal for a console program
// without a console.
func (t *processTree) end(<-chan struct{}, time.Duration) {
	_ = windows.TerminateJobObject(t.job, 1) // fails only if the job has ended
}
