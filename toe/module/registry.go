package module

// All lists the modules in the order of their names.
func All() []*Module {
	return []*Module{
		&appendFile,
		&assert,
		&copyFile,
		&copyFolder,
		&createFile,
		&createFolder,
		&createSymlink,
		&deleteFile,
		&deleteFolder,
		&executeBash,
		&executeBinary,
		&executeDocument,
		&executePowerShell,
		&installMSI,
		&listFiles,
		&moveFile,
		&moveFolder,
		&readFile,
		&reboot,
		&s3Download,
		&s3Upload,
		&setFileEncoding,
		&setFileOwner,
		&setFilePermissions,
		&setFolderOwner,
		&setFolderPermissions,
		&setRegistry,
		&uninstallMSI,
		&updateOS,
		&webDownload,
	}
}

// Find returns the module of a name, nil if there is none.
func Find(name string) *Module { return byName[name] }

var byName = func() map[string]*Module {
	m := map[string]*Module{}
	for _, mod := range All() {
		m[mod.Name] = mod
	}
	return m
}()

// Names lists the names of all modules.
func Names() []string {
	var names []string
	for _, m := range All() {
		names = append(names, m.Name)
	}
	return names
}
