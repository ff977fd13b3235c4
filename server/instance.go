package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/compute"
	"ingot.dev/ingot/guest"
)

// Tags of instances that were not made by a build.
const (
	purposeTag      = "purpose"
	purposeLaunched = "launched"
)

// stopGrace is how long an instance may take to power off before it is ended.
const stopGrace = 10 * time.Second

func (s *Server) listInstances(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Instance, error) {
	ids, err := s.instanceIDs()
	if err != nil {
		return nil, err
	}
	list := []admin.Instance{}
	for _, id := range ids {
		i, err := s.showInstance(ctx, id)
		if errors.Is(err, compute.ErrGone) {
			continue // it ended while we looked
		}
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// instanceIDs are the instances that have a folder, in the order of their names.
func (s *Server) instanceIDs() ([]string, error) {
	entries, err := os.ReadDir(s.path("instances"))
	if err != nil {
		return nil, fmt.Errorf("listing instances: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "i-") {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// launched lists the instances that somebody launched and did not stop.
func (s *Server) launched(ctx context.Context) ([]string, error) {
	ids, err := s.instanceIDs()
	if err != nil {
		return nil, err
	}
	var launched []string
	for _, id := range ids {
		tags, err := s.instanceTags(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // never started
		}
		if err != nil {
			return nil, err
		}
		if tags[purposeTag] != purposeLaunched {
			continue
		}
		if _, err := adopt(ctx, s.drivers, id); err == nil {
			launched = append(launched, id)
		}
	}
	return launched, nil
}

func (s *Server) showInstance(ctx context.Context, id string) (admin.Instance, error) {
	i, err := adopt(ctx, s.drivers, id)
	if err != nil {
		return admin.Instance{}, err
	}
	state, err := i.State(ctx)
	if err != nil {
		return admin.Instance{}, err
	}
	tags, err := s.instanceTags(id)
	if err != nil {
		return admin.Instance{}, err
	}
	purpose := tags[purposeTag]
	if arn := tags["Ec2ImageBuilderArn"]; arn != "" {
		purpose = tags["Name"] + " " + arn
	}
	kept, err := s.builder.Kept(ctx)
	if err != nil {
		return admin.Instance{}, err
	}
	return admin.Instance{
		ID: id, Kind: state.Kind, Kept: slices.Contains(kept, id), Phase: string(state.Phase), Purpose: strings.TrimSpace(purpose),
		Address: state.Address, Boots: state.Boots, Started: state.Started, Console: state.Console,
	}, nil
}

// instanceTags reads the tags an instance was launched with.
func (s *Server) instanceTags(id string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(s.path("instances", id), "spec.json"))
	if err != nil {
		return nil, fmt.Errorf("reading what instance %s is for: %w", id, err)
	}
	var order struct {
		Spec compute.Spec `json:"spec"`
	}
	if err := json.Unmarshal(data, &order); err != nil {
		return nil, fmt.Errorf("reading what instance %s is for: %w", id, err)
	}
	return order.Spec.Tags, nil
}

func (s *Server) execInstance(ctx context.Context, in admin.InstanceExec, send admin.Send) (admin.InstanceExit, error) {
	i, err := adopt(ctx, s.drivers, in.ID)
	if err != nil {
		return admin.InstanceExit{}, err
	}
	agent, err := i.Agent(ctx)
	if err != nil {
		return admin.InstanceExit{}, err
	}
	defer agent.Close()
	command := guest.Command{Args: []string{"/bin/sh", "-c", in.Command}}
	code, err := agent.Exec(ctx, command, nil, func(e guest.Event) error {
		if e.Stream != "" {
			send(admin.Message{Stream: e.Stream, Line: &e.Line})
		}
		return nil
	})
	return admin.InstanceExit{Code: code}, err
}

func (s *Server) stopInstance(ctx context.Context, in admin.InstanceName, _ admin.Send) (admin.None, error) {
	i, err := adopt(ctx, s.drivers, in.ID)
	if err != nil {
		return admin.None{}, err
	}
	_, stopErr := i.Stop(ctx, stopGrace)
	return admin.None{}, errors.Join(stopErr, i.Destroy(ctx))
}
