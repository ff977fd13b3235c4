package workflow

import "time"

// Actions whose inputs are images and what is done with them.

var registerImage = &Action{
	Name: "RegisterImage", Types: everyType, Timeout: 540 * time.Minute, Maximum: 720 * time.Minute,
	Inputs: []Input{
		{Name: "architecture", Kind: String, Values: []string{"i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"}},
		{Name: "blockDeviceMapping", Kind: ObjectList, Members: blockDevice},
		{Name: "bootMode", Kind: String, Values: []string{"legacy-bios", "uefi", "uefi-preferred"}},
		{Name: "description", Kind: String},
		{Name: "enaSupport", Kind: Boolean},
		{Name: "imageLocation", Kind: String},
		{Name: "imdsSupport", Kind: String, Values: []string{"v2.0"}},
		{Name: "includeSnapshotTags", Kind: Boolean, Default: "false"},
		{Name: "kernelId", Kind: String},
		{Name: "ramdiskId", Kind: String},
		{Name: "rootDeviceName", Kind: String},
		{Name: "sriovNetSupport", Kind: String},
		{Name: "tpmSupport", Kind: String, Values: []string{"v2.0"}},
		{Name: "uefiData", Kind: String, Pattern: base64Text},
		{Name: "virtualizationType", Kind: String, Values: []string{"hvm", "paravirtual"}},
	},
	Outputs: []ActionOutput{{"imageId", String}},
}

// blockDevice is an entry of a block device mapping as EC2 spells it.
var blockDevice = []Input{
	{Name: "DeviceName", Kind: String},
	{Name: "VirtualName", Kind: String},
	{Name: "NoDevice", Kind: String},
	{Name: "Ebs", Kind: Object, Members: []Input{
		{Name: "DeleteOnTermination", Kind: Boolean},
		{Name: "Encrypted", Kind: Boolean},
		{Name: "Iops", Kind: Integer},
		{Name: "KmsKeyId", Kind: String},
		{Name: "OutpostArn", Kind: String},
		{Name: "SnapshotId", Kind: String},
		{Name: "Throughput", Kind: Integer},
		{Name: "VolumeSize", Kind: Integer},
		{Name: "VolumeType", Kind: String},
	}},
}

// inRegion is the region that an entry of a distribution is for.
var inRegion = Input{Name: "region", Kind: String, Required: true, Max: 1024}

// distributedImages are the images of an earlier step.
var distributedImages = Input{Name: "distributedImages", Kind: ObjectList, Required: true, Step: true}

const maxAMITags = 50

var distributeImage = &Action{
	Name: "DistributeImage", Types: onlyDistribution, Timeout: 360 * time.Minute, Maximum: 720 * time.Minute,
	Inputs: []Input{{Name: "distributions", Kind: ObjectList, Members: []Input{
		inRegion,
		{Name: "name", Kind: String},
		{Name: "description", Kind: String},
		{Name: "targetAccountIds", Kind: StringList},
		{Name: "amiTags", Kind: StringMap, Max: maxAMITags},
		{Name: "kmsKeyId", Kind: String},
	}}},
	Outputs: []ActionOutput{{"distributedImages", ObjectList}},
}

var modifyImageAttributes = &Action{
	Name: "ModifyImageAttributes", Types: onlyDistribution, Timeout: 120 * time.Minute, Maximum: 180 * time.Minute,
	Inputs: []Input{
		distributedImages,
		{Name: "attributes", Kind: ObjectList, Members: []Input{
			inRegion,
			{Name: "launchPermission", Kind: Object, Members: []Input{
				{Name: "userIds", Kind: StringList},
				{Name: "userGroups", Kind: StringList},
				{Name: "organizationArns", Kind: StringList},
				{Name: "organizationalUnitArns", Kind: StringList},
			}},
		}},
	},
	Outputs: []ActionOutput{{"modifiedImages", ObjectList}},
}

var applyImageConfigurations = &Action{
	Name: "ApplyImageConfigurations", Types: onlyDistribution, Timeout: 360 * time.Minute, Maximum: 720 * time.Minute,
	Inputs: []Input{
		distributedImages,
		{Name: "configurations", Kind: ObjectList, Members: []Input{
			inRegion,
			{Name: "licenseConfigurationArns", Kind: StringList},
			{Name: "launchTemplateConfigurations", Kind: ObjectList, Members: []Input{
				{Name: "launchTemplateId", Kind: String, Required: true},
				{Name: "accountId", Kind: String},
				{Name: "setDefaultVersion", Kind: Boolean},
			}},
			{Name: "s3ExportConfiguration", Kind: Objects, Members: []Input{
				{Name: "roleName", Kind: String, Required: true},
				{Name: "diskImageFormat", Kind: String, Required: true, Values: []string{"VMDK", "RAW", "VHD"}},
				{Name: "s3Bucket", Kind: String, Required: true},
				{Name: "s3Prefix", Kind: String},
			}},
			{Name: "fastLaunchConfigurations", Kind: ObjectList, Members: fastLaunch},
			{Name: "ssmParameterConfigurations", Kind: Objects, Members: []Input{
				{Name: "parameterName", Kind: String, Required: true},
				{Name: "amiAccountId", Kind: String},
				{Name: "dataType", Kind: String, Values: []string{"text", "aws:ec2:image"}},
			}},
		}},
	},
	Outputs: []ActionOutput{{"configuredImages", ObjectList}},
}

var fastLaunch = []Input{
	{Name: "enabled", Kind: Boolean, Required: true},
	{Name: "snapshotConfiguration", Kind: Object, Members: []Input{{Name: "targetResourceCount", Kind: Integer}}},
	{Name: "maxParallelLaunches", Kind: Integer},
	{Name: "launchTemplate", Kind: Object, Members: []Input{
		{Name: "launchTemplateId", Kind: String},
		{Name: "launchTemplateName", Kind: String},
		{Name: "launchTemplateVersion", Kind: String},
	}},
	{Name: "accountId", Kind: String},
}
