package guest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// rpmFormat asks rpm for tab-separated columns.
const rpmFormat = "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n"

func inventory(w http.ResponseWriter, r *http.Request) {
	inv := Inventory{OS: prettyName("/")}
	var err error
	if inv.Format, inv.Packages, err = packages("/"); err != nil {
		refuse(w, fmt.Errorf("listing packages: %w", err))
		return
	}
	answer(w, inv)
}

// packages reads dpkg's own file, which needs no program of the guest; rpm's
// database is read by rpm.
func packages(root string) (format string, list []Package, err error) {
	f, err := os.Open(filepath.Join(root, "var/lib/dpkg/status"))
	if err == nil {
		defer f.Close()
		list, err = parseStatus(f)
		return "dpkg", list, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	out, err := exec.Command("rpm", "-qa", "--qf", rpmFormat).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("running rpm: %w", err)
	}
	return "rpm", parseRPM(out), nil
}

// parseStatus reads the installed packages of a dpkg status file: paragraphs of
// "Field: value" lines, parted by empty lines, with continuations indented.
func parseStatus(r io.Reader) ([]Package, error) {
	var list []Package
	var p Package
	installed := false
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	flush := func() {
		if installed && p.Name != "" {
			list = append(list, p)
		}
		p, installed = Package{}, false
	}
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch field {
		case "":
			flush()
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			p.Arch = value
		case "Source":
			p.Source, _, _ = strings.Cut(value, " ") // may carry a version in brackets
		case "Status":
			installed = strings.HasSuffix(value, " installed")
		}
	}
	flush()
	return list, lines.Err()
}

// parseRPM reads the lines that rpmFormat prints. An epoch of 0 is left out.
func parseRPM(out []byte) []Package {
	var list []Package
	for line := range bytes.Lines(out) {
		col := strings.Split(strings.TrimRight(string(line), "\n"), "\t")
		if len(col) != 4 || col[0] == "gpg-pubkey" { // keys are not packages
			continue
		}
		list = append(list, Package{
			Name: col[0], Version: strings.TrimPrefix(col[1], "0:"), Arch: col[2],
			Source: strings.TrimSuffix(col[3], ".src.rpm"),
		})
	}
	return list
}

// prettyName is PRETTY_NAME of os-release, or "" without one.
func prettyName(root string) string {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // the next place; the name is for people only
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
				return strings.Trim(strings.TrimSpace(value), `"'`)
			}
		}
	}
	return ""
}
