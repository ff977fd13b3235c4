package module

import (
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/windows"
)

// processTree is a program in a job object, which its descendants cannot
// leave. They outlive the job's handle, as background children should.
type processTree struct {
	mark string // NAME=value in the environment of the program
	job  windows.Handle
}

func (t *processTree) prepare(*exec.Cmd) {}

func (t *processTree) started(cmd *exec.Cmd) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(cmd.Process.Pid))
	if err != nil {
		return fmt.Errorf("opening process %d: %w", cmd.Process.Pid, err)
	}
	defer windows.CloseHandle(process)
	if t.job, err = windows.CreateJobObject(nil, nil); err != nil {
		return fmt.Errorf("creating job object: %w", err)
	}
	if err := windows.AssignProcessToJobObject(t.job, process); err != nil {
		t.release()
		return fmt.Errorf("assigning process %d to job object: %w", cmd.Process.Pid, err)
	}
	return nil
}

func (t *processTree) release() { windows.CloseHandle(t.job) }

// end terminates the job: Windows has no gentler signal for a console program
// without a console.
func (t *processTree) end(<-chan struct{}, time.Duration) {
	_ = windows.TerminateJobObject(t.job, 1) // fails only if the job has ended
}
