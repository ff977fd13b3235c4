package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ingot.dev/ingot"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/client"
	"ingot.dev/ingot/logs"
	"ingot.dev/ingot/server"
)

// logOptions are the flags of ingot logs.
type logOptions struct {
	group, stream   string
	account, region string
	since           string
	follow, list    bool
}

func newLogsCommand(a *app) *cobra.Command {
	var o logOptions
	c := &cobra.Command{
		Use:   "logs [IMAGE-ARN]",
		Short: "Print the log of a build, or of a log group; with -f, live until it ends",
		Long: "Print the whole log of an image build, or the streams of a log group: those of images are in\n" +
			"/aws/imagebuilder/NAME, those of pipelines in /aws/imagebuilder/pipeline/NAME, unless their\n" +
			"loggingConfiguration names other groups.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.load()
			if err != nil {
				return err
			}
			v := &logViewer{app: a, settings: s, store: server.Logs(s.Data), follow: o.follow}
			if v.since, err = parseSince(o.since, time.Now()); err != nil {
				return err
			}
			v.scope = ingot.Scope{Account: accountOr(o.account, s), Region: s.Region}
			if o.region != "" {
				v.scope.Region = o.region
			}
			switch {
			case len(args) == 1:
				if o.group != "" || o.list {
					return usagef("give the ARN of an image build, or --group or --list")
				}
				return v.image(cmd.Context(), args[0])
			case o.list && o.group == "":
				return v.listGroups()
			case o.list:
				return v.listStreams(o.group)
			case o.group == "":
				return usagef("give the ARN of an image build, --group, or --list")
			case o.stream == "":
				return v.group(cmd.Context(), o.group)
			}
			return v.stream(cmd.Context(), ingot.LogStream{Scope: v.scope, Group: o.group, Name: o.stream})
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on until the build ends; of a group, with the stream that was written last")
	flags.StringVar(&o.group, "group", "", "log `group`, as in /aws/imagebuilder/NAME")
	flags.StringVar(&o.stream, "stream", "", "`stream` of the group, as in 1.0.0/1 or 2026/12/31 (default: all, the oldest first)")
	flags.BoolVar(&o.list, "list", false, "list the groups, or with --group its streams")
	flags.StringVar(&o.since, "since", "", "leave out lines before a `time`: 90m, or 2026-12-31T23:59:59Z")
	flags.StringVar(&o.region, "region", "", "`region` of the group (default: the server's first)")
	accountFlag(c, &o.account)
	return c
}

// parseSince reads a time, or how long ago it is.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("--since %q: must be how long ago, as in 90m, or a time, as in 2026-12-31T23:59:59Z", text)
	}
	return t, nil
}

// logViewer prints logs. It reads the files of the data directory, and follows
// a log through the server if one runs.
type logViewer struct {
	*app
	settings settings
	store    *logs.Store
	scope    ingot.Scope
	since    time.Time
	follow   bool
}

func (v *logViewer) image(ctx context.Context, text string) error {
	arn, err := ingot.ParseARN(text)
	if err != nil || arn.Kind != ingot.KindImage || !arn.IsExact() {
		return usagef("%q is not the ARN of an image build: it must look like arn:aws:imagebuilder:%s:%s:image/NAME/1.0.0/1", text, v.scope.Region, v.scope.Account)
	}
	err = v.show(ctx, arn.Scope(), v.store.Image(arn), url.Values{"image": {text}})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: has no log in %s; `ingot logs --list` shows what has one", text, v.settings.Data)
	}
	return err
}

func (v *logViewer) stream(ctx context.Context, l ingot.LogStream) error {
	file, err := v.store.Find(l)
	if err != nil {
		return err
	}
	return v.show(ctx, l.Scope, file, url.Values{"group": {l.Group}, "stream": {l.Name}})
}

// group prints all streams of a group; with follow it goes on with the last.
func (v *logViewer) group(ctx context.Context, name string) error {
	streams, err := v.store.Streams(v.scope, name)
	if err != nil {
		return err
	}
	follow := v.follow
	for i, s := range streams {
		last := i == len(streams)-1
		if s.Written.Before(v.since) && !last {
			continue
		}
		v.follow = follow && last
		if err := v.stream(ctx, ingot.LogStream{Scope: v.scope, Group: name, Name: s.Name}); err != nil {
			return err
		}
	}
	return nil
}

// show prints a log that is in a file, and has the address of q at the server.
func (v *logViewer) show(ctx context.Context, scope ingot.Scope, file string, q url.Values) error {
	wait := v.follow
	if v.follow && scope.Account == v.settings.Account && v.isServed(ctx) {
		err := v.followServer(ctx, scope, q)
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			return err
		}
		wait = false // of an image that was deleted there may be a log, and nothing will come
	}
	_, err := logs.Follow{Since: v.since, Wait: wait}.Read(ctx, file, func(e logs.Entry) error { return v.printLine(e.Line) })
	return err
}

// isServed reports whether a server of the data directory answers.
func (v *logViewer) isServed(ctx context.Context) bool {
	c, err := connect(v.settings)
	if err != nil {
		return false
	}
	defer c.Admin.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return c.API.Healthy(ctx) == nil
}

const (
	// comeBack is how long a server that went away may take to come back.
	comeBack = 2 * time.Minute
	// askAgain is the pause between two tries to reach it.
	askAgain = 250 * time.Millisecond
)

// followServer follows a log over HTTP. When the connection breaks, or the
// server is restarted, it goes on behind the last line that it has.
func (v *logViewer) followServer(ctx context.Context, scope ingot.Scope, q url.Values) error {
	if !v.since.IsZero() {
		q.Set("since", v.since.UTC().Format(time.RFC3339Nano))
	}
	f := follower{viewer: v, scope: scope, query: q}
	heard := time.Now()
	for told := false; ; {
		before := f.after
		err := f.once(ctx)
		var refused *client.Error
		switch {
		case f.ended || ctx.Err() != nil:
			return errors.Join(f.failed, ctx.Err())
		case f.failed != nil:
			return f.failed
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests:
			return err
		case f.after != before || err == nil:
			heard, told = time.Now(), false
		case time.Since(heard) > comeBack:
			return fmt.Errorf("the server has not come back for %s: %w; the same command begins again", comeBack, err)
		}
		if !told && err != nil {
			fmt.Fprintf(v.stderr, "the server went away (%v); waiting for it\n", err)
			told = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(askAgain):
		}
	}
}

// follower is where a log is followed over HTTP.
type follower struct {
	viewer *logViewer
	scope  ingot.Scope
	query  url.Values
	after  string // id of the last event
	ended  bool
	failed error // of printing
}

// once follows until the connection ends. The server may have another address
// each time.
func (f *follower) once(ctx context.Context) error {
	c, err := connect(f.viewer.settings)
	if err != nil {
		return err
	}
	defer c.Admin.Close()
	c.API.Region = f.scope.Region
	return c.API.Events(ctx, "/logs/events", f.query, f.after, func(e client.Event) error {
		if e.Type == logs.EventEnd {
			f.ended = true
			return nil
		}
		if f.failed = f.viewer.printLine(e.Data); f.failed == nil {
			f.after = e.ID
		}
		return f.failed
	})
}

// logLine is a line of any log.
type logLine struct {
	build.Line
	// Of the logs of pipelines.
	Outcome ingot.TickOutcome `json:"outcome"`
	Reason  string            `json:"reason"`
	Image   string            `json:"image"`
}

func (v *logViewer) printLine(data []byte) error {
	if v.output == "json" {
		_, err := fmt.Fprintf(v.stdout, "%s\n", data)
		return err
	}
	var l logLine
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("reading a line of the log: %w", err)
	}
	text := formatLine(l.Line)
	if l.Outcome != "" {
		text = fmt.Sprintf("%s %s: %s %s", l.Time.UTC().Format(time.RFC3339), l.Outcome, printable(l.Reason), l.Image)
	}
	_, err := fmt.Fprintln(v.stdout, text)
	return err
}

func (v *logViewer) listGroups() error {
	list, err := v.store.Groups(v.scope, "")
	if err != nil {
		return err
	}
	if v.output == "json" {
		return v.printJSON(list)
	}
	w := tabwriter.NewWriter(v.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "GROUP\tSTREAMS")
	for _, g := range list {
		fmt.Fprintf(w, "%s\t%d\n", g.Name, g.Streams)
	}
	return w.Flush()
}

func (v *logViewer) listStreams(group string) error {
	list, err := v.store.Streams(v.scope, group)
	if err != nil {
		return err
	}
	if v.output == "json" {
		return v.printJSON(list)
	}
	w := tabwriter.NewWriter(v.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STREAM\tSIZE\tLAST WRITTEN")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, byteSize(s.Bytes), s.Written.Format(time.DateTime))
	}
	return w.Flush()
}
