package toe

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"ingot.dev/ingot/toe/module"
)

// errNobodyRestarts is the fault of a run that needs a reboot which nobody
// would perform.
var errNobodyRestarts = errors.New("a reboot is asked for, but this program does not restart the machine itself; set TOE_REBOOT_HANDOFF=1, restart the machine when the exit code is 194, and repeat the command")

// rebootFaults finds, before the first step, the reboot of a run that nobody
// would perform.
func (r *run) rebootFaults() []string {
	if r.state.Request.HandOffReboot || r.options.Restart != nil {
		return nil
	}
	for _, d := range r.documents {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				if r.selected(p.Name) && s.Action == "Reboot" {
					return []string{fmt.Sprintf("%s: step '%s' of phase '%s': %v", d.Path, s.Name, p.Name, errNobodyRestarts)}
				}
			}
		}
	}
	return nil
}

// mayReboot says why a step must not have its reboot.
func (r *run) mayReboot() error {
	if !r.state.Request.HandOffReboot && r.options.Restart == nil {
		return errNobodyRestarts
	}
	if r.state.Reboots >= maxReboots {
		//lint:ignore ST1005 users see the text as it is in the specification (§10.3)
		return fmt.Errorf("Reboot limit (%d) exceeded", maxReboots)
	}
	return nil
}

// pause puts the state where the run goes on: at this step again, or behind
// it, with the step done.
func (s *stepRun) pause(reboot *module.Reboot) (outcome, error) {
	code := reboot.Code
	if code == 0 {
		code = rebootCode()
	}
	if !reboot.Again {
		s.finish(statusSuccess)
		s.run.state.Position.Step++
		s.run.state.Step = stepState{Attempt: 1}
	}
	s.console.Printf(module.Info, "Getting reboot signal")
	s.console.Printf(module.Info, "ExitCode %d", code)
	s.console.Printf(module.Info, "Rebooting the system now")
	return restart, errors.Join(s.run.writeRecord(), s.run.console.failure())
}

// rebootCode is the exit code that stands for a reboot on this system.
func rebootCode() int {
	if runtime.GOOS == "windows" {
		return 3010
	}
	return 194
}

func (r *run) saveForReboot() error {
	r.state.Boot = bootID()
	r.state.Reboots++
	return r.state.save()
}

// restart hands the reboot over or performs it.
func (r *run) restart(ctx context.Context) (Result, error) {
	result := r.state.Result
	result.Status, result.LogURL, result.Reboot = statusRunning, r.state.LogFolder, true
	if r.state.Request.HandOffReboot {
		return result, nil
	}
	if err := r.options.Restart(ctx, r.state.Request); err != nil {
		return result, fmt.Errorf("restarting the machine: %w", err)
	}
	return result, nil
}
