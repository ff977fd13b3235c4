package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ingot.dev/ingot"
	"ingot.dev/ingot/model"
)

// Bars of the API under load.
const (
	few, many   = 100, 100_000 // components, and as many images
	maxGrowth   = 1.5          // time of one request among many stored, to that among few
	minRate     = 2000         // signed requests a second
	maxLatency  = 20 * time.Millisecond
	loadTime    = 20 * time.Second
	connections = 16  // of the run that is as fast as it can be
	callers     = 64  // of the run at minRate: more than ever wait at once
	samples     = 400 // requests of one kind, one after the other
)

// loadSettings lift what would end the measurement: quotas, rates.
const loadSettings = `throttle: {rate: 0}
quotas: {components: 1000000000}
`

const account = "000000000000"

// operation is one kind of request, of a server that stores n.
type operation struct {
	name string
	make func(rng *rand.Rand, n int) request
}

func get(kind, name, parameter string) operation {
	return operation{name, func(rng *rand.Rand, n int) request {
		return request{method: "GET", path: "/" + name, query: parameter + "=" + url.QueryEscape(seedARN(kind, rng.IntN(n)))}
	}}
}

func list(name, filters string) operation {
	return operation{name, func(rng *rand.Rand, n int) request {
		return request{method: "POST", path: "/" + name, body: strings.ReplaceAll(filters, "NAME", seedName(rng.IntN(n)))}
	}}
}

func seedName(i int) string { return fmt.Sprintf("seed-%06d", i) }

func seedARN(kind string, i int) string {
	return "arn:aws:imagebuilder:us-east-1:" + account + ":" + kind + "/" + seedName(i) + "/1.0.0/1"
}

const loadDocument = "schemaVersion: 1.0\\nphases:\\n  - name: build\\n    steps:\\n      - name: hello\\n        action: ExecuteBash\\n        inputs:\\n          commands:\\n            - echo hello\\n"

var (
	getComponent   = get("component", "GetComponent", "componentBuildVersionArn")
	getImage       = get("image", "GetImage", "imageBuildVersionArn")
	listComponents = list("ListComponents", `{}`)
	listImages     = list("ListImages", `{}`)
	byPlatform     = list("ListComponents", `{"filters":[{"name":"platform","values":["Linux"]},{"name":"type","values":["BUILD"]}]}`)
	byName         = list("ListImages", `{"filters":[{"name":"name","values":["NAME"]}]}`)
	create         = operation{"CreateComponent", func(rng *rand.Rand, _ int) request {
		id := strconv.FormatUint(rng.Uint64(), 36)
		return request{method: "PUT", path: "/CreateComponent", body: `{"name":"load-` + id + `","semanticVersion":"1.0.0","platform":"Linux","data":"` + loadDocument + `","clientToken":"` + id + `"}`}
	}}
	tag = operation{"TagResource", func(rng *rand.Rand, n int) request {
		return request{method: "POST", path: "/tags/" + url.QueryEscape(seedARN("component", rng.IntN(n))), body: `{"tags":{"load":"` + strconv.Itoa(rng.IntN(1000)) + `"}}`}
	}}
)

// mix is what a hundred requests are: 60 % Get, 20 % List (half of them
// filtered), 15 % Create, 5 % tags.
var mix = []struct {
	share int
	operation
}{
	{40, getComponent},
	{20, getImage},
	{6, listComponents},
	{4, listImages},
	{4, byPlatform},
	{6, byName},
	{15, create},
	{5, tag},
}

func mixed(rng *rand.Rand) operation {
	at := rng.IntN(100)
	for _, m := range mix {
		if at -= m.share; at < 0 {
			return m.operation
		}
	}
	panic("bench: the shares of the mix are not a hundred")
}

// loads measures the API over HTTP, among few and among many stored resources.
func loads(ctx context.Context, o options, dir string, t *table) error {
	if !o.wants("create") && !o.wants("filter") && !o.wants("load") {
		return nil
	}
	if o.data != "" {
		dir = o.data
	}
	alone := map[int]map[string]time.Duration{}
	for _, n := range []int{few, many} {
		s, err := loadServer(ctx, o, filepath.Join(dir, fmt.Sprint("load-", n)), n)
		if err != nil {
			return err
		}
		alone[n], err = oneByOne(ctx, s, n)
		if err == nil && n == many && o.wants("load") {
			err = underLoad(ctx, s, n, t)
		}
		s.stop()
		if err != nil {
			return err
		}
	}
	for _, k := range kinds {
		if o.wants(k.row) {
			a, b := alone[few][k.title], alone[many][k.title]
			ratio := b.Seconds() / a.Seconds()
			t.add(k.title+", of 100,000", micro(b), "of 100: "+micro(a), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("<= %.1f x", maxGrowth), ratio <= maxGrowth)
		}
	}
	return nil
}

func micro(d time.Duration) string { return fmt.Sprintf("%d us", d.Microseconds()) }

// kinds are measured one after the other, alone.
var kinds = []struct {
	row, title string
	operation
}{
	{"create", "API: GetComponent", getComponent},
	{"create", "API: ListComponents", listComponents},
	{"create", "API: CreateComponent", create},
	{"create", "API: TagResource", tag},
	{"filter", "API: ListComponents by two filters", byPlatform},
	{"filter", "API: ListImages by name", byName},
}

// loadServer starts a server that stores n components and images. A folder
// that an earlier run has filled is used again.
func loadServer(ctx context.Context, o options, data string, n int) (*server, error) {
	config := filepath.Join(data, "settings.yaml")
	if _, err := os.Stat(config); err != nil {
		if err := os.MkdirAll(data, 0o700); err != nil {
			return nil, err
		}
		path := filepath.Join(data, "ingot.db")
		if err := errors.Join(
			seed(ctx, path, n, func(i int) (ingot.Record, error) { return seedImage("us-east-1", i) }),
			seed(ctx, path, n, seedComponent),
			os.WriteFile(config, []byte(loadSettings), 0o600),
		); err != nil {
			return nil, err
		}
	}
	return startServer(ctx, o.ingot, data, "--config", config)
}

func seedComponent(i int) (ingot.Record, error) {
	arn, err := ingot.ParseARN(seedARN("component", i))
	if err != nil {
		return ingot.Record{}, err
	}
	now := time.Now()
	return ingot.NewComponentRecord(arn, &model.Component{
		Arn: arn.String(), Name: seedName(i), Version: "1.0.0", Platform: model.PlatformLinux, Type: model.ComponentTypeBuild,
		State: &model.ComponentState{Status: model.ComponentStatusActive}, Owner: account,
		Data: strings.ReplaceAll(loadDocument, `\n`, "\n"), Encrypted: new(true), DateCreated: model.DateTime(now),
	}, nil, now)
}

// oneByOne is the median time of each kind of request.
func oneByOne(ctx context.Context, s *server, n int) (map[string]time.Duration, error) {
	c, err := newSigner(s.api).dial()
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	medians := map[string]time.Duration{}
	for _, k := range kinds {
		var all []time.Duration
		for range samples {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			took, err := c.send(k.make(rng, n))
			if err != nil {
				return nil, err
			}
			all = append(all, took)
		}
		slices.Sort(all)
		medians[k.title] = all[len(all)/2]
		fmt.Fprintf(os.Stderr, "%-36s of %6d: %s\n", k.title, n, micro(medians[k.title]))
	}
	return medians, nil
}

// underLoad sends the mix twice. First each of some connections sends as soon
// as it has its answer: that is the rate that the server can do. Most of them
// then wait in one queue, for whatever is slowest, and make it as long as there
// are connections; so how long an answer takes is measured at the rate that is
// asked for, with requests that come by chance and do not wait for others.
func underLoad(ctx context.Context, s *server, n int, t *table) error {
	before, err := s.processorTime()
	if err != nil {
		return err
	}
	own := ownProcessorTime()
	fastest, err := sendMix(ctx, s, n, connections, atOnce)
	if err != nil {
		return err
	}
	after, err := s.processorTime()
	if err != nil {
		return err
	}
	part := func(d time.Duration) float64 { return d.Seconds() / loadTime.Seconds() }
	rate := float64(len(fastest)) / loadTime.Seconds()
	t.add("API: mixed requests a second", fmt.Sprintf("%.0f", rate),
		fmt.Sprintf("processors: server %.2f, client %.2f; p99 %s", part(after-before), part(ownProcessorTime()-own), milli(fastest.at(0.99))),
		"", fmt.Sprintf(">= %d", minRate), rate >= minRate)

	paced, err := sendMix(ctx, s, n, callers, byChance)
	if err != nil {
		return err
	}
	p99 := paced.at(0.99)
	t.add(fmt.Sprintf("99th percentile, at %d a second", minRate), milli(p99),
		fmt.Sprintf("median %s, longest %s; writes: %s, %s", milli(paced.at(0.5)), milli(paced.at(1)), milli(paced.writes().at(0.5)), milli(paced.writes().at(0.99))),
		"", "<= "+milli(maxLatency), p99 <= maxLatency)
	return nil
}

func milli(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// answer is one answered request: when it was to be sent, and how long after
// that its answer was there.
type answer struct {
	operation string
	took      time.Duration
}

// answers are sorted by the time they took.
type answers []answer

// at is the time that a share of the answers did not exceed.
func (a answers) at(share float64) time.Duration {
	if len(a) == 0 {
		return 0
	}
	return a[int(share*float64(len(a)-1))].took
}

func (a answers) writes() (writes answers) {
	for _, one := range a {
		if one.operation == create.name || one.operation == tag.name {
			writes = append(writes, one)
		}
	}
	return writes
}

// atOnce has a request due whenever a connection is free.
func atOnce(ctx context.Context, due chan<- time.Time) {
	for ctx.Err() == nil {
		select {
		case due <- time.Time{}:
		case <-ctx.Done():
		}
	}
}

// byChance has minRate requests due in a second, each independent of the others.
func byChance(ctx context.Context, due chan<- time.Time) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	next := time.Now()
	for ctx.Err() == nil {
		next = next.Add(time.Duration(rng.ExpFloat64() / minRate * float64(time.Second)))
		if wait := time.Until(next); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		select {
		case due <- next:
		case <-ctx.Done():
		}
	}
}

// sendMix sends the mix for loadTime over a number of connections, a request
// when plan has it due. The zero time means now.
func sendMix(ctx context.Context, s *server, n, connections int, plan func(context.Context, chan<- time.Time)) (answers, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	due := make(chan time.Time)
	times := make([]answers, connections)
	failed := make([]error, connections)
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			times[i], failed[i] = sendDue(s, n, uint64(i), due)
			if failed[i] != nil {
				cancel()
			}
		})
	}
	plan(ctx, due)
	close(due)
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	sorted := slices.Concat(times...)
	slices.SortFunc(sorted, func(a, b answer) int { return cmp.Compare(a.took, b.took) })
	return sorted, nil
}

func sendDue(s *server, n int, worker uint64, due <-chan time.Time) (answers, error) {
	c, err := newSigner(s.api).dial()
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), worker))
	var times answers
	for at := range due {
		what := mixed(rng)
		if at.IsZero() {
			at = time.Now()
		}
		if _, err := c.send(what.make(rng, n)); err != nil {
			return nil, err
		}
		times = append(times, answer{what.name, time.Since(at)})
	}
	return times, nil
}

// processorTime is what the server has used so far.
func (s *server) processorTime() (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name may have blanks
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] { // user and system time, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func ownProcessorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for a bad argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
