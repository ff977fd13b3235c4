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
	if err := setOwner(path, in.String("owner"), in.String("group")); err != nil {
		return err
	}
	if in.String("permissions") == "" {
		return nil
	}
	mode, err := parsePermissions(in.String("permissions"))
	if err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// setOwner follows links. An owner without a group brings the owner's own.
func setOwner(path, owner, group string) error {
	if owner == "" && group == "" {
		return nil
	}
	uid, gid := -1, -1 // unchanged
	if owner != "" {
		var err error
		if uid, gid, err = lookupUser(owner); err != nil {
			return err
		}
	}
	if group != "" {
		var err error
		if gid, err = lookupGroup(group); err != nil {
			return err
		}
	}
	return os.Chown(path, uid, gid)
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
			return int(n), -1, nil
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
