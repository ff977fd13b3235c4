package module

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

// setRegistryValue creates the key as needed and sets the value, whatever it
// was before.
func setRegistryValue(root registryRoot, key, name string, data any) error {
	k, _, err := registry.CreateKey(registry.Key(root), key, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("creating registry key %s: %w", key, err)
	}
	switch v := data.(type) {
	case []byte:
		err = k.SetBinaryValue(name, v)
	case uint32:
		err = k.SetDWordValue(name, v)
	case uint64:
		err = k.SetQWordValue(name, v)
	case expandString:
		err = k.SetExpandStringValue(name, string(v))
	case []string:
		err = k.SetStringsValue(name, v)
	case string:
		err = k.SetStringValue(name, v)
	}
	if err = errors.Join(err, k.Close()); err != nil {
		return fmt.Errorf("setting registry value %s of %s: %w", name, key, err)
	}
	return nil
}
