// Package distribute delivers a finished AMI to where its distribution
// configuration says. Source: distribution.md §3, §5, §6.
//
//	Destinations  configuration → the AMIs to deliver (pure)
//	Copy          an AMI for each destination                        DISTRIBUTING
//	Permit        who may use the AMIs of a region
//	Configure     licences and parameters of the AMIs of a region    INTEGRATING
//
// Regions here are folders of this server and accounts are name spaces, so a
// copy is the blocks that are missing and a record. Every destination is tried;
// what became of it is a Row, and a row that has failed is no reason to stop.
// All of it may be repeated: ids are derived from image and destination.
package distribute

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
	"ingot.dev/ingot/region"
)

// Service is what distribution works with. All fields but Trusts are required.
type Service struct {
	Regions    *region.Set
	AMIs       ingot.AMIStore
	Parameters ingot.ParameterStore
	// Trusts says whether an account takes images of another one. Nil: none does.
	Trusts func(ctx context.Context, account, source string) (bool, error)
	Role   string // ARN of the role that the image is made with
	Now    func() time.Time
}

// Row is what became of one destination, as the steps of workflows hand it on.
// Source: workflows.md §7.16.
type Row struct {
	Region       string `json:"region"`
	Name         string `json:"name,omitempty"`
	AMI          string `json:"amiId,omitempty"`
	Account      string `json:"accountId"`
	DateStarted  string `json:"dateStarted,omitempty"`
	DateStopped  string `json:"dateStopped,omitempty"`
	Status       string `json:"status"`
	Step         string `json:"step"`
	ErrorMessage string `json:"errorMessage,omitempty"`
}

// Values of Row.Status.
const (
	Completed = "Completed"
	Failed    = "Failed"
	Cancelled = "Cancelled"
	TimedOut  = "TimedOut"
)

// Values of Row.Step; a row that is done has Completed.
const (
	stepCopy           = "CopyAmiRunning"
	stepModify         = "ModifyAmiRunning"
	stepLicenses       = "AssociateLicensesRunning"
	stepLaunchTemplate = "UpdateLaunchTemplateRunning"
	stepParameters     = "PutSsmParametersRunning"
	stepFastLaunch     = "UpdateFastLaunchConfiguration"
	stepExport         = "ExportAmiRunning"
)

// Destination is one AMI to deliver.
type Destination struct {
	ingot.Scope
	Name        string
	Description string
	Tags        map[string]string
	Key         string // to encrypt the copy with; empty: none
}

// Image is what all destinations of one image share.
type Image struct {
	ARN    ingot.ARN // of the image build version
	Name   string    // as displayed
	Source ingot.AMI // in the image's own region and account
	Tags   map[string]string
	Values ingot.Placeholders
}

// Destinations lists the AMIs to deliver: first the image's own, then in the
// order of the configuration. Source: distribution.md §3, §6.
func Destinations(image Image, list []model.Distribution) ([]Destination, error) {
	home := image.ARN.Scope()
	own, others := Destination{}, []Destination(nil)
	for _, d := range withHome(home, list) {
		for _, account := range accounts(home, d) {
			to, err := destination(image, d, ingot.Scope{Account: account, Region: d.Region})
			if err != nil {
				return nil, fmt.Errorf("distributing to %s: %w", d.Region, err)
			}
			if to.Scope == home {
				own = to
				continue
			}
			others = append(others, to)
		}
	}
	return append([]Destination{own}, others...), nil
}

// withHome adds the image's own region where no entry is for it.
func withHome(home ingot.Scope, list []model.Distribution) []model.Distribution {
	if slices.ContainsFunc(list, func(d model.Distribution) bool { return d.Region == home.Region }) {
		return list
	}
	return append([]model.Distribution{{Region: home.Region}}, list...)
}

// accounts are those that get an AMI in a region: in the image's own region
// its account always does, elsewhere only if no other is listed.
func accounts(home ingot.Scope, d model.Distribution) []string {
	var listed []string
	if d.AmiDistributionConfiguration != nil {
		listed = slices.Compact(slices.Sorted(slices.Values(d.AmiDistributionConfiguration.TargetAccountIds)))
	}
	if d.Region == home.Region {
		listed = slices.DeleteFunc(listed, func(a string) bool { return a == home.Account })
		return append([]string{home.Account}, listed...)
	}
	if len(listed) == 0 {
		return []string{home.Account}
	}
	return listed
}

func destination(image Image, d model.Distribution, to ingot.Scope) (Destination, error) {
	c := d.AmiDistributionConfiguration
	if c == nil {
		c = &model.AmiDistributionConfiguration{}
	}
	out := Destination{Scope: to, Name: c.Name, Description: c.Description}
	home := image.ARN.Scope()
	if to != home {
		out.Key = c.KmsKeyId
	}
	if out.Name == "" {
		out.Name = image.Name + " {{imagebuilder:buildDate}}"
	}
	if out.Description == "" && to == home {
		out.Description = image.Source.Description
	}
	var err error
	if out.Name, err = image.Values.Expand(out.Name); err != nil {
		return out, fmt.Errorf("naming the AMI: %w", err)
	}
	if !amiName.MatchString(out.Name) {
		return out, ingot.Errorf(ingot.CodeInvalid, "the AMI's name %q must have 3 to 128 letters, digits, blanks and ( ) [ ] . / - ' @ _", out.Name)
	}
	if out.Description, err = image.Values.Expand(out.Description); err != nil {
		return out, fmt.Errorf("describing the AMI: %w", err)
	}
	out.Tags, err = tags(image, c.AmiTags)
	return out, err
}

// amiName is the form of an AMI's name. Source: distribution.md §3.1.
var amiName = regexp.MustCompile(`^[A-Za-z0-9 ()\[\]./\-'@_]{3,128}$`)

// tags joins those of the recipe and of the destination, of which the later
// win, and those that mark everything a build makes. Source: distribution.md
// §3.3, api.md §8.5.
func tags(image Image, more map[string]string) (map[string]string, error) {
	all := map[string]string{"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image.ARN.String()}
	for _, set := range []map[string]string{image.Tags, more} {
		for key, value := range set {
			expanded, err := image.Values.Expand(value)
			if err != nil {
				return nil, fmt.Errorf("expanding the AMI's tag %s: %w", key, err)
			}
			all[key] = expanded
		}
	}
	return all, nil
}

// maxConcurrent is how many destinations are served at a time. Copies here wait
// for one disk, so more would not be faster.
const maxConcurrent = 4

// each does something for every row that has not failed in an earlier step,
// some at a time, and returns when all are done. What is left when ctx ends is
// Cancelled or TimedOut.
func each(ctx context.Context, rows []Row, do func(ctx context.Context, r *Row) error, now func() time.Time) {
	slots := make(chan struct{}, maxConcurrent)
	var wg sync.WaitGroup
	for i := range rows {
		r := &rows[i]
		if r.Status != Completed {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r.DateStarted = model.DateTime(now())
			err := ctx.Err()
			if err == nil {
				err = do(ctx, r)
			}
			r.end(ctx, err, now())
		})
	}
	wg.Wait()
}

// end notes how a row's work went. A row that failed keeps the step it was at.
func (r *Row) end(ctx context.Context, err error, now time.Time) {
	r.DateStopped = model.DateTime(now)
	switch {
	case err == nil:
		r.Status, r.Step = Completed, Completed
		return
	case ctx.Err() == nil:
		r.Status = Failed
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.Status = TimedOut
	default:
		r.Status = Cancelled
	}
	r.ErrorMessage = err.Error()
}

// Failure sums up the rows that are not completed, as the state of an image
// shows them; nil if all are. Source: distribution.md §7.
func Failure(rows []Row) *model.DistributionFailure {
	var f model.DistributionFailure
	for _, r := range rows {
		if r.Status == Completed {
			continue
		}
		f.RegionFailures = append(f.RegionFailures, model.RegionFailure{
			Region: r.Region, AccountId: r.Account, Status: failureStatus[r.Status],
			ImageConfigurationStep: configurationStep[r.Step], ErrorMessage: r.ErrorMessage,
		})
		if f.ErrorMessage != "" {
			f.ErrorMessage += " "
		}
		f.ErrorMessage += fmt.Sprintf("In region '%s' - '%s'", r.Region, r.ErrorMessage)
	}
	if f.RegionFailures == nil {
		return nil
	}
	return &f
}

var failureStatus = map[string]string{Failed: "FAILED", Cancelled: "CANCELLED", TimedOut: "TIMED_OUT"}

// configurationStep is the name of a step in the failure context.
var configurationStep = map[string]string{
	stepLicenses: "ASSOCIATE_LICENSES", stepLaunchTemplate: "UPDATE_LAUNCH_TEMPLATES", stepParameters: "PUT_SSM_PARAMETERS",
	stepFastLaunch: "UPDATE_FAST_LAUNCH_CONFIGURATION", stepExport: "EXPORT_AMI",
}
