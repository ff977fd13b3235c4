package module

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
)

var permissionsInput = Input{
	Name: "permissions", Type: String, Platforms: notWindows, Check: checkPermissions,
	Description: "Octal, such as 0644; set exactly, without the umask.",
}

var ownerInputs = []Input{
	{Name: "owner", Type: String, Default: "current user", Platforms: notWindows, Description: "Name or number."},
	{Name: "group", Type: String, Default: "the owner's group", Platforms: notWindows, Description: "Name or number."},
}

// newOwnerInputs are those of the modules that exist to set them.
var newOwnerInputs = []Input{
	{Name: "owner", Type: String, Required: true, Check: notEmpty, Description: "Name or number."},
	{Name: "group", Type: String, Default: "the owner's group", Description: "Name or number."},
}

var recursiveInput = Input{
	Name: "recursive", Type: Boolean, Default: "true",
	Description: "Whether it goes for all that the folder holds, too.",
}

func checkPermissions(s string) error {
	_, err := parsePermissions(s)
	return err
}

// parsePermissions reads three or four octal digits with the Unix meaning.
func parsePermissions(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil || len(s) < 3 || len(s) > 5 || len(s) == 5 && s[0] != '0' {
		return 0, fmt.Errorf("'%s' are no octal permissions; write them as 0644", s)
	}
	mode := fs.FileMode(n & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}

// setAttributes applies owner, group and permissions as far as they are
// given. The mode comes last: a change of owner clears the set-id bits.
func setAttributes(path string, in Values) error {
	if err := setOwner(path, in); err != nil {
		return err
	}
	return setPermissions(path, in)
}

func setPermissions(path string, in Values) error {
	if in.String("permissions") == "" {
		return nil
	}
	mode, err := parsePermissions(in.String("permissions"))
	if err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// setOwner follows links.
func setOwner(path string, in Values) error {
	uid, gid, err := lookupOwner(in)
	if err != nil || uid == unchanged && gid == unchanged {
		return err
	}
	return os.Chown(path, uid, gid)
}

const unchanged = -1 // as an id

// lookupOwner finds the ids of the inputs owner and group. An owner without a
// group brings his own.
func lookupOwner(in Values) (uid, gid int, err error) {
	uid, gid = unchanged, unchanged
	if owner := in.String("owner"); owner != "" {
		if uid, gid, err = lookupUser(owner); err != nil {
			return 0, 0, err
		}
	}
	if group := in.String("group"); group != "" {
		if gid, err = lookupGroup(group); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}

// lookupUser finds a user by name, else by number; a number needs no entry.
func lookupUser(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		n, notNumber := strconv.ParseUint(name, 10, 31)
		if notNumber != nil {
			return 0, 0, err
		}
		if u, err = user.LookupId(name); err != nil {
			return int(n), unchanged, nil
		}
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("user %s has no numeric ids", name)
	}
	return uid, gid, nil
}

func lookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if n, notNumber := strconv.ParseUint(name, 10, 31); notNumber == nil {
			return int(n), nil
		}
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
