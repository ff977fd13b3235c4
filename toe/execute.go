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

// outcome says how a run goes on after a part of it.
type outcome int

const (
	goOn    outcome = iota
	stop            // a step failed with onFailure Abort
	restart         // the state says where to go on after a reboot
)

// execute runs what is left of the documents: all of them, or the part after
// a reboot. An error means that the run cannot go on at all.
func (r *run) execute(ctx context.Context) (outcome, error) {
	if err := r.writeChaining(); err != nil {
		return stop, err
	}
	if r.resumed {
		r.console.Printf(module.Info, "Recovery completed for detailed output.")
		if boot := bootID(); boot != "" && boot == r.state.Boot {
			r.console.Printf(module.Warn, "Executor: the run goes on, but the system has not rebooted since it stopped")
		}
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

func (r *run) document(ctx context.Context, i int) (outcome, error) {
	doc := r.documents[i]
	r.console.at(doc.Path, "", "")
	r.console.Printf(module.Info, "Document %s", doc.Path)
	if i == len(r.state.Record.Documents) {
		r.state.Record.Documents = append(r.state.Record.Documents, &documentRecord{
			Name: doc.Name, FilePath: doc.Path, Description: doc.Description, Status: statusRunning, StartTime: stamp(r.options.Now()),
		})
	}
	record := r.state.Record.Documents[i]
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

func (r *run) phase(ctx context.Context, doc *Document, record *documentRecord, p int) (outcome, error) {
	phase := doc.Phases[p]
	r.console.at(doc.Path, phase.Name, "")
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
