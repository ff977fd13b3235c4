package api

import (
	"context"
	"log/slog"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

func (s *Server) registerWorkflowExecutions() {
	read(s, "GetWorkflowExecution", s.getWorkflowExecution)
	read(s, "ListWorkflowExecutions", s.listWorkflowExecutions)
	read(s, "GetWorkflowStepExecution", s.getWorkflowStepExecution)
	read(s, "ListWorkflowStepExecutions", s.listWorkflowStepExecutions)
	read(s, "ListWaitingWorkflowSteps", s.listWaitingWorkflowSteps)
	write(s, "SendWorkflowStepAction", s.sendWorkflowStepAction)
}

func (s *Server) getWorkflowExecution(ctx context.Context, in *model.GetWorkflowExecutionRequest) (*model.GetWorkflowExecutionResponse, error) {
	e, err := s.workflowExecution(ctx, in.WorkflowExecutionId)
	return &e.GetWorkflowExecutionResponse, err
}

// workflowExecution returns an execution for an image that the caller can see.
func (s *Server) workflowExecution(ctx context.Context, id string) (ingot.WorkflowExecution, error) {
	e, err := s.Store.WorkflowExecution(ctx, id)
	if err != nil {
		return ingot.WorkflowExecution{}, err
	}
	if _, err := visibleARN(ctx, "workflowExecutionId", e.ImageBuildVersionArn); err != nil {
		return ingot.WorkflowExecution{}, ingot.Errorf(ingot.CodeNotFound, "The workflow execution '%s' does not exist.", id)
	}
	return e, nil
}

func (s *Server) listWorkflowExecutions(ctx context.Context, in *model.ListWorkflowExecutionsRequest) (*model.ListWorkflowExecutionsResponse, error) {
	arn, err := s.existingImage(ctx, in.ImageBuildVersionArn)
	if err != nil {
		return nil, err
	}
	list, next, err := s.Store.WorkflowExecutions(ctx, arn, in.NextToken, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListWorkflowExecutionsResponse{ImageBuildVersionArn: arn.String(), NextToken: next}
	for _, e := range list {
		m := model.WorkflowExecutionMetadata{
			WorkflowBuildVersionArn: e.WorkflowBuildVersionArn, WorkflowExecutionId: e.WorkflowExecutionId,
			Type: e.Type, Status: e.Status, Message: e.Message, TotalStepCount: e.TotalStepCount,
			TotalStepsSucceeded: e.TotalStepsSucceeded, TotalStepsFailed: e.TotalStepsFailed, TotalStepsSkipped: e.TotalStepsSkipped,
			StartTime: e.StartTime, EndTime: e.EndTime, ParallelGroup: e.ParallelGroup,
		}
		if e.Retried {
			m.Retried = new(true)
		}
		out.WorkflowExecutions = append(out.WorkflowExecutions, m)
	}
	return out, nil
}

func (s *Server) getWorkflowStepExecution(ctx context.Context, in *model.GetWorkflowStepExecutionRequest) (*model.GetWorkflowStepExecutionResponse, error) {
	step, err := stepExecution(ctx, s.Store, in.StepExecutionId)
	return &step.GetWorkflowStepExecutionResponse, err
}

// stepExecution returns a step for an image that the caller can see.
func stepExecution(ctx context.Context, r ingot.ExecutionReader, id string) (ingot.StepExecution, error) {
	step, err := r.StepExecution(ctx, id)
	if err != nil {
		return ingot.StepExecution{}, err
	}
	if _, err := visibleARN(ctx, "stepExecutionId", step.ImageBuildVersionArn); err != nil {
		return ingot.StepExecution{}, ingot.Errorf(ingot.CodeNotFound, "The workflow step execution '%s' does not exist.", id)
	}
	return step, nil
}

func (s *Server) listWorkflowStepExecutions(ctx context.Context, in *model.ListWorkflowStepExecutionsRequest) (*model.ListWorkflowStepExecutionsResponse, error) {
	e, err := s.workflowExecution(ctx, in.WorkflowExecutionId)
	if err != nil {
		return nil, err
	}
	list, next, err := s.Store.StepExecutions(ctx, in.WorkflowExecutionId, in.NextToken, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListWorkflowStepExecutionsResponse{
		WorkflowBuildVersionArn: e.WorkflowBuildVersionArn, WorkflowExecutionId: e.WorkflowExecutionId,
		ImageBuildVersionArn: e.ImageBuildVersionArn, NextToken: next,
	}
	for _, step := range list {
		out.Steps = append(out.Steps, model.WorkflowStepMetadata{
			StepExecutionId: step.StepExecutionId, Name: step.Name, Description: step.Description, Action: step.Action,
			Status: step.Status, RollbackStatus: step.RollbackStatus, Message: step.Message, Inputs: step.Inputs,
			Outputs: step.Outputs, StartTime: step.StartTime, EndTime: step.EndTime,
			AttemptNumber: step.AttemptNumber, MaxAttempts: step.MaxAttempts,
		})
	}
	return out, nil
}

func (s *Server) listWaitingWorkflowSteps(ctx context.Context, in *model.ListWaitingWorkflowStepsRequest) (*model.ListWaitingWorkflowStepsResponse, error) {
	list, next, err := s.Store.WaitingSteps(ctx, newARN(ctx, ingot.KindImage, "", ingot.Version{}).Scope(), in.NextToken, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &model.ListWaitingWorkflowStepsResponse{NextToken: next}
	for _, step := range list {
		out.Steps = append(out.Steps, model.WorkflowStepExecution{
			StepExecutionId: step.StepExecutionId, ImageBuildVersionArn: step.ImageBuildVersionArn,
			WorkflowExecutionId: step.WorkflowExecutionId, WorkflowBuildVersionArn: step.WorkflowBuildVersionArn,
			Name: step.Name, Action: step.Action, StartTime: step.StartTime,
		})
	}
	return out, nil
}

// sendWorkflowStepAction answers a step that waits. The record is the answer:
// should the build not hear of it now, it does when it starts again.
func (s *Server) sendWorkflowStepAction(ctx context.Context, tx ingot.Tx, in *model.SendWorkflowStepActionRequest) (*model.SendWorkflowStepActionResponse, error) {
	if _, err := stepExecution(ctx, tx, in.StepExecutionId); err != nil {
		return nil, err
	}
	answer := ingot.StepAnswer{Action: in.Action, Reason: in.Reason}
	step, err := ingot.AnswerStep(ctx, tx, in.StepExecutionId, in.ImageBuildVersionArn, answer)
	if err != nil {
		return nil, err
	}
	if s.Builder != nil {
		afterCommit(ctx, func(ctx context.Context) {
			if err := s.Builder.AnswerStep(ctx, step); err != nil {
				s.Log.Error("telling a build of an answer", slog.String("step", in.StepExecutionId), slog.Any("error", err))
			}
		})
	}
	return &model.SendWorkflowStepActionResponse{
		StepExecutionId: in.StepExecutionId, ImageBuildVersionArn: in.ImageBuildVersionArn, ClientToken: in.ClientToken,
	}, nil
}
