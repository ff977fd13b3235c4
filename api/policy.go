package api

import (
	"context"

	"ingot.dev/ingot"
	"ingot.dev/ingot/api/iam"
	"ingot.dev/ingot/model"
)

func (s *Server) registerPolicies() {
	read(s, "GetComponentPolicy", s.getComponentPolicy)
	write(s, "PutComponentPolicy", s.putComponentPolicy)
	read(s, "GetImagePolicy", s.getImagePolicy)
	write(s, "PutImagePolicy", s.putImagePolicy)
	read(s, "GetImageRecipePolicy", s.getImageRecipePolicy)
	write(s, "PutImageRecipePolicy", s.putImageRecipePolicy)
	read(s, "GetContainerRecipePolicy", s.getContainerRecipePolicy)
	write(s, "PutContainerRecipePolicy", s.putContainerRecipePolicy)
}

// policy returns the resource policy of what an ARN member names.
func (s *Server) policy(ctx context.Context, field, text string) (string, error) {
	arn, err := exactARN(ctx, field, text)
	if err != nil {
		return "", err
	}
	record, err := s.Store.Get(ctx, arn)
	if err != nil {
		return "", err
	}
	if record.Policy == "" {
		return "", ingot.Errorf(ingot.CodeNotFound, "The resource '%s' has no policy.", record.ARN)
	}
	return record.Policy, nil
}

// putPolicy stores the resource policy of what an ARN member names, and returns
// its ARN. A policy without statements removes the one before.
func putPolicy(ctx context.Context, tx ingot.Tx, field, text, document string) (string, error) {
	arn, err := ownARN(ctx, field, text)
	if err != nil {
		return "", err
	}
	record, err := tx.Get(ctx, arn)
	if err != nil {
		return "", err
	}
	policy, err := iam.ParseSharing(document, record.ARN)
	if err != nil {
		return "", err
	}
	if len(policy.Statements) == 0 {
		document = ""
	}
	return record.ARN.String(), ingot.PutPolicy(ctx, tx, record.ARN, ingot.ResourcePolicy{
		Document: document, Accounts: policy.Accounts(), Shares: iam.Shares(policy, record.ARN.Kind),
	})
}

func (s *Server) getComponentPolicy(ctx context.Context, in *model.GetComponentPolicyRequest) (*model.GetComponentPolicyResponse, error) {
	policy, err := s.policy(ctx, "componentArn", in.ComponentArn)
	return &model.GetComponentPolicyResponse{Policy: policy}, err
}

func (s *Server) putComponentPolicy(ctx context.Context, tx ingot.Tx, in *model.PutComponentPolicyRequest) (*model.PutComponentPolicyResponse, error) {
	arn, err := putPolicy(ctx, tx, "componentArn", in.ComponentArn, in.Policy)
	return &model.PutComponentPolicyResponse{ComponentArn: arn}, err
}

func (s *Server) getImagePolicy(ctx context.Context, in *model.GetImagePolicyRequest) (*model.GetImagePolicyResponse, error) {
	policy, err := s.policy(ctx, "imageArn", in.ImageArn)
	return &model.GetImagePolicyResponse{Policy: policy}, err
}

func (s *Server) putImagePolicy(ctx context.Context, tx ingot.Tx, in *model.PutImagePolicyRequest) (*model.PutImagePolicyResponse, error) {
	arn, err := putPolicy(ctx, tx, "imageArn", in.ImageArn, in.Policy)
	return &model.PutImagePolicyResponse{ImageArn: arn}, err
}

func (s *Server) getImageRecipePolicy(ctx context.Context, in *model.GetImageRecipePolicyRequest) (*model.GetImageRecipePolicyResponse, error) {
	policy, err := s.policy(ctx, "imageRecipeArn", in.ImageRecipeArn)
	return &model.GetImageRecipePolicyResponse{Policy: policy}, err
}

func (s *Server) putImageRecipePolicy(ctx context.Context, tx ingot.Tx, in *model.PutImageRecipePolicyRequest) (*model.PutImageRecipePolicyResponse, error) {
	arn, err := putPolicy(ctx, tx, "imageRecipeArn", in.ImageRecipeArn, in.Policy)
	return &model.PutImageRecipePolicyResponse{ImageRecipeArn: arn}, err
}

func (s *Server) getContainerRecipePolicy(ctx context.Context, in *model.GetContainerRecipePolicyRequest) (*model.GetContainerRecipePolicyResponse, error) {
	policy, err := s.policy(ctx, "containerRecipeArn", in.ContainerRecipeArn)
	return &model.GetContainerRecipePolicyResponse{Policy: policy}, err
}

func (s *Server) putContainerRecipePolicy(ctx context.Context, tx ingot.Tx, in *model.PutContainerRecipePolicyRequest) (*model.PutContainerRecipePolicyResponse, error) {
	arn, err := putPolicy(ctx, tx, "containerRecipeArn", in.ContainerRecipeArn, in.Policy)
	return &model.PutContainerRecipePolicyResponse{ContainerRecipeArn: arn}, err
}
