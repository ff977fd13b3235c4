package server

import (
	"context"
	"strings"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/admin"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/schedule"
)

func (s *Server) openScheduler() {
	s.scheduler = schedule.New(schedule.Config{
		Store: s.db, Builder: s.builder, Logs: s.logs, KeepLog: s.KeepPipelineLogs, Now: time.Now, Log: s.Log,
	})
}

// listPipelines lists those of all accounts in all regions.
func (s *Server) listPipelines(ctx context.Context, _ admin.None, _ admin.Send) ([]admin.Pipeline, error) {
	scopes, err := s.scopes(ctx)
	if err != nil {
		return nil, err
	}
	list := []admin.Pipeline{}
	for _, scope := range scopes {
		some, err := s.pipelines(ctx, scope)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

func (s *Server) pipelines(ctx context.Context, scope ingot.Scope) (list []admin.Pipeline, err error) {
	q := ingot.Query{Scope: scope, Kind: ingot.KindPipeline, Limit: 100}
	for {
		page, err := s.db.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			p, err := s.pipelineOf(ctx, record)
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
		if q.After = page.Next; q.After == "" {
			return list, nil
		}
	}
}

// findPipeline takes the name of a pipeline or its ARN.
func (s *Server) findPipeline(ctx context.Context, name string) (ingot.Record, error) {
	record, err := s.findNamed(ctx, ingot.KindPipeline, name)
	if ingot.ErrorCode(err) == ingot.CodeNotFound {
		err = ingot.Errorf(ingot.CodeNotFound, "pipeline %s: is not there; `ingot pipeline list` shows those that are", name)
	}
	return record, err
}

// findNamed takes the name of a resource without versions, of the server's own
// account and region, or its ARN.
func (s *Server) findNamed(ctx context.Context, kind ingot.Kind, name string) (ingot.Record, error) {
	arn := ingot.ARN{Partition: partition, Region: s.Region, Account: s.Account, Kind: kind, Name: ingot.NormalizeName(name)}
	if strings.HasPrefix(name, "arn:") {
		var err error
		if arn, err = ingot.ParseARN(name); err != nil {
			return ingot.Record{}, err
		}
	}
	record, err := s.db.Get(ctx, arn)
	if err == nil && record.ARN.Kind != kind {
		err = ingot.NotFound(arn)
	}
	return record, err
}

func (s *Server) showPipeline(ctx context.Context, in admin.PipelineName, _ admin.Send) (admin.Pipeline, error) {
	record, err := s.findPipeline(ctx, in.Pipeline)
	if err != nil {
		return admin.Pipeline{}, err
	}
	return s.pipelineOf(ctx, record)
}

func (s *Server) pipelineOf(ctx context.Context, record ingot.Record) (admin.Pipeline, error) {
	document, err := ingot.Decode[model.ImagePipeline](record)
	if err != nil {
		return admin.Pipeline{}, err
	}
	p := admin.Pipeline{
		ARN: record.ARN.String(), Name: document.Name, Status: string(document.Status), LastRun: document.DateLastRun,
	}
	if c := document.Schedule; c != nil {
		p.Schedule, p.Timezone, p.Condition = c.ScheduleExpression, c.Timezone, string(c.PipelineExecutionStartCondition)
		if c.AutoDisablePolicy != nil {
			p.FailureLimit = c.AutoDisablePolicy.FailureCount
		}
	}
	if n := document.ConsecutiveFailures; n != nil {
		p.Failures = *n
	}
	if p.NextRun, _, err = schedule.NextRun(record, document, time.Now()); err != nil {
		return admin.Pipeline{}, err
	}
	page, err := s.db.List(ctx, ingot.PipelineImages(record.ARN, 1))
	if err != nil {
		return admin.Pipeline{}, err
	}
	if len(page.Records) > 0 {
		p.LastImage, p.LastRunStatus = page.Records[0].ARN.String(), page.Records[0].Status
	}
	return p, nil
}

func (s *Server) explainPipeline(ctx context.Context, in admin.PipelineWhy, _ admin.Send) (admin.PipelineTicks, error) {
	record, err := s.findPipeline(ctx, in.Pipeline)
	if err != nil {
		return admin.PipelineTicks{}, err
	}
	p, err := s.pipelineOf(ctx, record)
	if err != nil {
		return admin.PipelineTicks{}, err
	}
	ticks, err := s.db.Ticks(ctx, record.ARN, in.Limit)
	out := admin.PipelineTicks{Pipeline: p, Ticks: []admin.Tick{}}
	for _, t := range ticks {
		out.Ticks = append(out.Ticks, admin.Tick{At: t.At, Time: t.Time, Outcome: string(t.Outcome), Reason: t.Reason, Image: t.Image})
	}
	return out, err
}
