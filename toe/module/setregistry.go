package module

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

var setRegistry = Module{
	Name:        "SetRegistry",
	Description: "Sets values of the Windows registry and creates the keys that are missing.",
	Platforms:   []string{"windows"},
	List:        true,
	Inputs: []Input{
		{Name: "path", Type: String, Required: true, Check: checkRegistryPath, Description: `The key, such as HKLM:\SOFTWARE\Example or HKEY_LOCAL_MACHINE\SOFTWARE\Example.`},
		{Name: "name", Type: String, Required: true, Description: "The value's name."},
		{Name: "value", Type: Scalars, Required: true, Description: "DWORD and QWORD: a decimal or 0x number. BINARY: hexadecimal digits, or a list of bytes. MULTI_SZ: a list. Else a text."},
		{Name: "type", Type: String, Required: true, Check: checkRegistryType, Description: "BINARY, DWORD, QWORD, SZ, EXPAND_SZ or MULTI_SZ."},
	},
	Run: each(func(_ context.Context, c *Call, in Values) error {
		root, key, err := parseRegistryPath(in.String("path"))
		if err != nil {
			return err
		}
		data, err := registryData(in.String("type"), in["value"])
		if err != nil {
			return fmt.Errorf("setting %s of %s: %w", in.String("name"), in.String("path"), err)
		}
		return setRegistryValue(root, key, in.String("name"), data)
	}),
}

// registryRoots are the predefined keys as a path begins with them.
var registryRoots = map[string]registryRoot{
	"HKEY_CLASSES_ROOT": classesRoot, "HKCR:": classesRoot,
	"HKEY_USERS": users, "HKU:": users,
	"HKEY_LOCAL_MACHINE": localMachine, "HKLM:": localMachine,
	"HKEY_CURRENT_CONFIG": currentConfig, "HKCC:": currentConfig,
	"HKEY_CURRENT_USER": currentUser, "HKCU:": currentUser,
}

// registryRoot is the handle of a predefined key, the same on every Windows.
type registryRoot uint32

const (
	classesRoot registryRoot = 0x80000000 + iota
	currentUser
	localMachine
	users
	_ // performance data, which takes no values
	currentConfig
)

func checkRegistryPath(path string) error {
	_, _, err := parseRegistryPath(path)
	return err
}

// parseRegistryPath returns the predefined key and what follows it. A slash is
// no separator: names of keys may have it.
func parseRegistryPath(path string) (registryRoot, string, error) {
	name, key, _ := strings.Cut(path, `\`)
	root, ok := registryRoots[strings.ToUpper(name)]
	if !ok {
		return 0, "", fmt.Errorf("'%s' does not begin with a key that there is: HKCR:, HKU:, HKLM:, HKCC:, HKCU: or one of their long names, such as HKEY_LOCAL_MACHINE", path)
	}
	return root, strings.Trim(key, `\`), nil
}

var registryTypes = []string{"BINARY", "DWORD", "QWORD", "SZ", "EXPAND_SZ", "MULTI_SZ"}

func checkRegistryType(name string) error {
	if !slices.Contains(registryTypes, strings.ToUpper(name)) {
		return fmt.Errorf("unknown type '%s'; it must be BINARY, DWORD, QWORD, SZ, EXPAND_SZ or MULTI_SZ", name)
	}
	return nil
}

// expandString is the text of an EXPAND_SZ value.
type expandString string

// registryData converts an input to what the type stores: []byte, uint32,
// uint64, string, expandString or []string.
func registryData(kind string, value any) (any, error) {
	kind = strings.ToUpper(kind)
	text, isText := value.(string)
	list, _ := value.([]string)
	switch {
	case kind == "MULTI_SZ":
		if isText {
			list = []string{text}
		}
		return list, checkMultiString(list)
	case kind == "BINARY" && !isText:
		return parseBytes(list)
	case !isText:
		return nil, fmt.Errorf("a value of type %s must not be a list", kind)
	}
	switch kind {
	case "BINARY":
		data, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("'%s' are no hexadecimal digits: %w", text, err)
		}
		return data, nil
	case "DWORD":
		n, err := parseWord(text, 32)
		return uint32(n), err
	case "QWORD":
		return parseWord(text, 64)
	case "EXPAND_SZ":
		return expandString(text), nil
	default:
		return text, nil
	}
}

// checkMultiString refuses an empty item: it would end the list.
func checkMultiString(items []string) error {
	if i := slices.Index(items, ""); i >= 0 {
		return fmt.Errorf("item %d is empty, which MULTI_SZ cannot store", i)
	}
	return nil
}

func parseBytes(numbers []string) ([]byte, error) {
	data := make([]byte, len(numbers))
	for i, text := range numbers {
		n, err := parseWord(text, 8)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		data[i] = byte(n)
	}
	return data, nil
}

// parseWord reads a decimal or 0x number of at most so many bits.
func parseWord(text string, bits int) (uint64, error) {
	base, digits := 10, text
	if hexadecimal, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		base, digits = 16, hexadecimal
	}
	n, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		return 0, fmt.Errorf("'%s' is not a decimal or 0x number from 0 to %d", text, uint64(math.MaxUint64)>>(64-bits))
	}
	return n, nil
}
