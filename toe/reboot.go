package toe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"

	"ingot.dev/ingot/toe/module"
)

// errNobodyRestarts is the fault of a run that needs a reboot which nobody
// would perform.
var errNobodyRestarts = errors.New("a reboot is asked for, but nobody restarts the machine; set TOE_REBOOT_HANDOFF=1, restart the machine when the exit code is 194, and repeat the command")

// rebootFaults finds, before the first step, the reboot of a run that nobody
// would perform. One that has rebooted may have it behind it.
func (r *run) rebootFaults() []string {
	if r.state.Request.HandOffReboot || r.options.Restart != nil || r.resumed {
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
func (s *session) mayReboot() error {
	if !s.saved.Run.Request.HandOffReboot && s.options.Restart == nil {
		return errNobodyRestarts
	}
	if s.saved.Reboots >= maxReboots {
		//lint:ignore ST1005 users see the text as it is in the specification (§10.3)
		return fmt.Errorf("Reboot limit (%d) exceeded", maxReboots)
	}
	return nil
}

// pause puts the state where the run goes on: at this step again, or behind
// it, with the step done.
func (s *stepRun) pause(reboot *module.Reboot) outcome {
	s.run.rebootCode = reboot.Code
	if reboot.Code == 0 {
		s.run.rebootCode = defaultRebootCode()
	}
	switch {
	case reboot.Again:
	case s.step.loop != nil: // it may be over: then the step is done when it goes on
		s.run.state.Step.Iteration++
	default:
		s.finish(statusSuccess)
		s.leave()
		s.run.state.Position.Step++
	}
	return restart
}

// defaultRebootCode is the exit code that stands for a reboot on this system.
func defaultRebootCode() int {
	if runtime.GOOS == "windows" {
		return 3010
	}
	return 194
}

// restart saves the state and hands the reboot over or performs it.
func (s *session) restart(ctx context.Context) (Result, error) {
	s.console.Printf(module.Info, "Getting reboot signal")
	s.console.Printf(module.Info, "ExitCode %d", s.rebootCode)
	s.console.Printf(module.Info, "Rebooting the system now")
	if err := errors.Join(s.updateRecord(), s.console.failure()); err != nil {
		return Result{}, err
	}
	if !s.saved.Run.Request.HandOffReboot {
		s.keepEnvironment()
	}
	s.saved.Boot = bootID()
	s.saved.Reboots++
	if err := s.saved.save(); err != nil {
		return Result{}, err
	}
	result := s.saved.Run.Result
	result.Status, result.LogURL, result.Reboot = statusRunning, s.saved.LogFolder, true
	if err := s.deliver(ctx, &result); err != nil {
		return Result{}, err
	}
	if s.saved.Run.Request.HandOffReboot {
		return result, nil
	}
	if err := s.options.Restart(ctx, s.saved.Run.Request); err != nil {
		return Result{}, fmt.Errorf("restarting the machine: %w", err)
	}
	return result, nil
}

// kept are variables that steps and the services they use depend on, and that
// what starts programs with the system does not provide. Of others nobody
// knows whether they are secret.
var kept = regexp.MustCompile(`^(PATH|HOME|LANG|LC_.*|TZ|AWSTOE_.*|AWS_(DEFAULT_)?REGION|AWS_PROFILE|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE|AWS_CA_BUNDLE|AWS_.*ENDPOINT.*|INGOT_S3_ADDRESSING_STYLE)$`)

// keepEnvironment puts into the state what would be lost by the restart.
func (s *session) keepEnvironment() {
	request := &s.saved.Run.Request
	request.Environment = maps.Clone(request.Environment)
	if request.Environment == nil {
		request.Environment = map[string]string{}
	}
	for name, value := range s.environment {
		if kept.MatchString(name) {
			request.Environment[name] = value
		}
	}
}
