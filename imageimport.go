package ingot

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"

	"ingot.dev/ingot/model"
)

var (
	resourceName = regexp.MustCompile(`^[-_A-Za-z0-9][-_A-Za-z0-9 ]{1,126}[-_A-Za-z0-9]$`) // api.md §2.3
	importTask   = regexp.MustCompile(`^import-ami-[0-9a-f]{17}$`)
	isoURI       = regexp.MustCompile(`^s3://[^/]+/.*[^/]\.(ISO|iso|Iso)$`)
)

// ImportVMImage checks a request for an image of a finished VM import. The
// import itself is CodeNotImplemented. Source: import-export.md §2.
func ImportVMImage(in *model.ImportVmImageRequest) error {
	if !resourceName.MatchString(in.Name) {
		return InvalidField("name", "A name has 3 to 128 letters, digits, spaces, hyphens and underscores, and no space at its ends.")
	}
	if err := checkImportVersion(in.SemanticVersion); err != nil {
		return err
	}
	if !slices.Contains([]model.Platform{model.PlatformLinux, model.PlatformWindows}, in.Platform) {
		return InvalidField("platform", "An image for %s cannot be imported; one for Linux or Windows can.", in.Platform)
	}
	if !importTask.MatchString(in.VmImportTaskId) {
		return InvalidField("vmImportTaskId", "'%s' is not the id of an import task: import-ami- and 17 hexadecimal digits.", in.VmImportTaskId)
	}
	if err := checkImport(in.LoggingConfiguration, "", in.Tags); err != nil {
		return err
	}
	return Errorf(CodeNotImplemented, "This server does not import virtual machines by the API yet. Use the command ingot base import.")
}

// ImportDiskImage checks a request, of the namespace by, for an image made of
// an ISO file. The import itself is CodeNotImplemented. Source:
// import-export.md §3.
func ImportDiskImage(ctx context.Context, r RecordReader, by ARN, in *model.ImportDiskImageRequest) error {
	if err := checkImportVersion(in.SemanticVersion); err != nil {
		return err
	}
	switch {
	case in.Platform != string(model.PlatformWindows):
		return InvalidField("platform", "Only ISO files of Windows can be imported, not of '%s'.", in.Platform)
	case in.OsVersion != "Microsoft Windows 11":
		return InvalidField("osVersion", "'%s' cannot be imported; 'Microsoft Windows 11' can.", in.OsVersion)
	case !isoURI.MatchString(in.Uri):
		return InvalidField("uri", "'%s' is not the s3:// address of an .iso file.", in.Uri)
	}
	if err := checkRegisterOptions(in.RegisterImageOptions); err != nil {
		return err
	}
	if err := checkImport(in.LoggingConfiguration, in.ExecutionRole, in.Tags); err != nil {
		return err
	}
	_, err := copyOf[model.InfrastructureConfiguration](ctx, r, by, "infrastructureConfigurationArn", in.InfrastructureConfigurationArn, KindInfrastructure)
	if ErrorCode(err) == CodeNotFound {
		err = Errorf(CodeClient, "%w", err) // the operation knows no other error for it
	}
	if err != nil {
		return err
	}
	return Errorf(CodeNotImplemented, "This server does not import ISO files yet.")
}

func checkImportVersion(text string) error {
	v, err := ParseVersion(text)
	if err == nil && v.IsWildcard() {
		err = versionError(text, "an import needs its whole version, without x")
	}
	return err
}

// checkImport checks what the imports have in common.
func checkImport(logging *model.ImageLoggingConfiguration, role string, tags map[string]string) error {
	if logging != nil {
		if err := checkLogGroups(role, logging.LogGroupName); err != nil {
			return err
		}
	}
	return CheckTags("tags", tags)
}

func checkRegisterOptions(o *model.RegisterImageOptions) error {
	if o == nil || o.UefiData == "" {
		return nil
	}
	if o.SecureBootEnabled != nil && !*o.SecureBootEnabled {
		return Errorf(CodeCombination, "The parameter 'registerImageOptions.uefiData' is for images with secure boot, which 'secureBootEnabled' turns off.")
	}
	if _, err := base64.StdEncoding.DecodeString(o.UefiData); err != nil {
		return InvalidField("registerImageOptions.uefiData", "It is not Base64: %v.", err)
	}
	return nil
}
