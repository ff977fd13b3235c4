package notify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/hook"
)

// Command gets messages on its standard input, one per start. It has got one
// when it ends with 0.
type Command struct {
	Args    []string `yaml:"args" json:"args"`                           // the program's absolute path, and its arguments
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"` // of an attempt; 30s
}

func (c *Command) check() error { return ofArgs(hook.Check(c.Args)) }

func (c *Command) checkFiles() error { return ofArgs(hook.CheckFile(c.Args)) }

func ofArgs(err error) error {
	if err != nil {
		return fmt.Errorf("args: %w", err)
	}
	return nil
}

func (c *Command) sender() sender { return commandSender{c} }

type commandSender struct{ *Command }

func (commandSender) atOnce() int { return 2 }

func (commandSender) close() {}

func (c commandSender) send(ctx context.Context, d ingot.Delivery, _ time.Time) error {
	body, err := payload(d.Message)
	if err != nil {
		return err
	}
	limit := c.Timeout.or(30 * time.Second)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	output := &hook.Tail{Limit: maxAnswer}
	err = hook.Call{Args: c.Args, Env: commandEnvironment(d), Stdin: body, Stdout: output, Stderr: output}.Run(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%s was ended after %s: %s", c.Args[0], limit, oneLine(output.Bytes()))
	}
	return fmt.Errorf("%s: %w: %s", c.Args[0], err, oneLine(output.Bytes()))
}

func commandEnvironment(d ingot.Delivery) []string {
	return []string{
		"INGOT_MESSAGE_ID=" + d.Message.ID, "INGOT_CHANNEL=" + string(d.Channel), "INGOT_NAME=" + d.Name,
		"INGOT_ABOUT=" + d.About, "INGOT_SUBJECT=" + d.Subject, "INGOT_ATTEMPT=" + strconv.Itoa(d.Attempts+1),
	}
}
