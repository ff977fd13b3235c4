package toe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ingot.dev/ingot/toe/module"
)

// run is a run under way: the one that was asked for, or one of a document
// that a step of it executes.
type run struct {
	*session
	caller     *stepRun // nil: the run that was asked for
	state      *progress
	record     *runRecord
	secrets    map[string]string // parameters of a nested document that the state lacks
	documents  []*Document
	variables  []map[string]string // by document
	referenced map[string]bool     // outputKeys of steps that later ones refer to
}

// outcome says how a run goes on after a part of it.
type outcome int

const (
	goOn    outcome = iota
	stop            // a step failed with onFailure Abort
	restart         // the state says where to go on after a reboot
)

// perform checks everything and executes what is left of the documents: all of
// them, or the part after a reboot. An error means that the run cannot go on
// at all.
func (r *run) perform(ctx context.Context) (outcome, error) {
	if why := r.prepare(); why != "" {
		r.refuse(why)
		return stop, nil
	}
	if r.caller == nil {
		if err := r.writeChaining(); err != nil {
			return stop, err
		}
		r.announceRecovery()
	}
	for i := r.state.Position.Document; i < len(r.documents); i++ {
		next, err := r.document(ctx, i)
		if err != nil || next != goOn {
			return next, err
		}
		r.state.Position = position{Document: i + 1}
	}
	return goOn, nil
}

// refuse says why the run must not begin; for a nested one the step does.
func (r *run) refuse(why string) {
	r.record.FailureMessage = r.mask.text(why)
	if r.caller == nil {
		r.console.Printf(module.Error, "%s", why)
	}
}

func (r *run) announceRecovery() {
	if !r.resumed {
		return
	}
	r.console.Printf(module.Info, "Recovery completed for detailed output.")
	if boot := bootID(); boot != "" && boot == r.saved.Boot {
		r.console.Printf(module.Warn, "Executor: the run goes on, but the system has not rebooted since it stopped")
	}
}

// at says where the following lines belong. Those of a nested document belong
// to the step of the top one.
func (r *run) at(phase, step string) {
	if r.caller == nil {
		r.console.at(r.documents[r.state.Position.Document].Path, phase, step)
	}
}

func (r *run) document(ctx context.Context, i int) (outcome, error) {
	doc := r.documents[i]
	r.at("", "")
	r.console.Printf(module.Info, "Document %s", doc.Path)
	if i == len(r.record.Documents) {
		r.record.Documents = append(r.record.Documents, &documentRecord{
			Name: doc.Name, FilePath: doc.Path, Description: doc.Description, Status: statusRunning, StartTime: stamp(r.options.Now()),
		})
	}
	record := r.record.Documents[i]
	for p := r.state.Position.Phase; p < len(doc.Phases); p++ {
		if r.selected(doc.Phases[p].Name) {
			next, err := r.phase(ctx, doc, record, p)
			if err != nil || next == restart {
				return next, err
			}
			if next == stop {
				record.finish(r.options.Now())
				return stop, nil
			}
		}
		r.state.Position = position{Document: i, Phase: p + 1}
	}
	record.finish(r.options.Now())
	return goOn, nil
}

// selected reports whether the run includes a phase.
func (r *run) selected(phase string) bool {
	return len(r.state.Request.Phases) == 0 || slices.Contains(r.state.Request.Phases, phase)
}

func (r *run) phase(ctx context.Context, doc *Document, record *documentRecord, p int) (outcome, error) {
	phase := doc.Phases[p]
	r.at(phase.Name, "")
	r.console.Printf(module.Info, "Phase %s", phase.Name)
	if n := len(record.Phases); n == 0 || record.Phases[n-1].Name != phase.Name {
		record.Phases = append(record.Phases, &phaseRecord{Name: phase.Name, Status: statusRunning, StartTime: stamp(r.options.Now())})
	}
	current := record.Phases[len(record.Phases)-1]
	for s := r.state.Position.Step; s < len(phase.Steps); s++ {
		r.state.Position = position{Document: r.state.Position.Document, Phase: p, Step: s}
		next, err := r.step(ctx, phase.Name, &phase.Steps[s], current)
		if err != nil || next == restart {
			return next, err
		}
		if next == stop {
			current.finish(r.options.Now())
			return stop, nil
		}
	}
	current.finish(r.options.Now())
	return goOn, nil
}

// finish closes the record. The result is how the run has ended.
func (r *run) finish() Result {
	failed := r.record.FailureMessage != ""
	r.record.finish(r.options.Now())
	if failed {
		r.record.Status = statusFailed
	}
	result := r.state.Result
	result.Status, result.FailureMessage = r.record.Status, r.record.FailureMessage
	result.LogURL = r.saved.LogFolder
	return result
}

// referencedOutputs are the steps whose outputs later ones read.
func referencedOutputs(documents []*Document) map[string]bool {
	out := map[string]bool{}
	for i, d := range documents {
		d.eachReference(func(ref *reference) {
			if ref.kind == outputsRef {
				out[outputKey(i, ref.phase, ref.step)] = true
			}
		})
	}
	return out
}

// writeChaining writes chaining.json: what later steps read of each step.
func (r *run) writeChaining() error {
	read := map[string]map[string]bool{}
	for _, d := range r.documents {
		d.eachReference(func(ref *reference) {
			side := map[referenceKind]string{inputsRef: "inputs.", outputsRef: "outputs."}[ref.kind]
			if side == "" {
				return
			}
			step := ref.phase + "." + ref.step
			if read[step] == nil {
				read[step] = map[string]bool{}
			}
			read[step][side+strings.Join(ref.keys, ".")] = true
		})
	}
	lists := map[string][]string{}
	for step, keys := range read {
		lists[step] = slices.Sorted(maps.Keys(keys))
	}
	data, err := json.MarshalIndent(lists, "", "    ")
	if err != nil {
		return fmt.Errorf("encoding chaining.json: %w", err)
	}
	return r.writeLog("chaining.json", bytesOf(data))
}
