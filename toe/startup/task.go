package startup

import (
	"encoding/xml"
	"strings"
)

// localSystem is the identifier of the account SYSTEM.
const localSystem = "S-1-5-18"

type taskDefinition struct {
	XMLName   xml.Name `xml:"http://schemas.microsoft.com/windows/2004/02/mit/task Task"`
	Version   string   `xml:"version,attr"`
	Boot      bool     `xml:"Triggers>BootTrigger>Enabled"`
	User      string   `xml:"Principals>Principal>UserId"`
	RunLevel  string   `xml:"Principals>Principal>RunLevel"`
	Batteries bool     `xml:"Settings>DisallowStartIfOnBatteries"`
	TimeLimit string   `xml:"Settings>ExecutionTimeLimit"`
	Command   string   `xml:"Actions>Exec>Command"`
	Arguments string   `xml:"Actions>Exec>Arguments"`
	Dir       string   `xml:"Actions>Exec>WorkingDirectory"`
}

// task is the definition of a task that runs the command as SYSTEM when the
// system starts, for as long as it takes. That it needs the state is left to
// the command: the scheduler has no such condition.
func task(c Command) (string, error) {
	words := make([]string, len(c.Args))
	for i, arg := range c.Args {
		words[i] = windowsWord(arg)
	}
	b, err := xml.MarshalIndent(taskDefinition{
		Version: "1.2", Boot: true, User: localSystem, RunLevel: "HighestAvailable", TimeLimit: "PT0S",
		Command: c.Args[0], Arguments: strings.Join(words[1:], " "), Dir: c.Dir,
	}, "", "  ")
	return `<?xml version="1.0" encoding="UTF-16"?>` + "\n" + string(b) + "\n", err
}

// windowsWord quotes an argument so that CommandLineToArgvW gives it back.
func windowsWord(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	slashes := 0
	for i := range len(s) {
		switch s[i] {
		case '\\':
			slashes++
			continue
		case '"':
			b.WriteString(strings.Repeat(`\`, 2*slashes+1))
		default:
			b.WriteString(strings.Repeat(`\`, slashes))
		}
		slashes = 0
		b.WriteByte(s[i])
	}
	b.WriteString(strings.Repeat(`\`, 2*slashes) + `"`)
	return b.String()
}
