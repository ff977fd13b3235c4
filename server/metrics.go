package server

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ingot.dev/ingot/api"
	"ingot.dev/ingot/build"
	"ingot.dev/ingot/compute"
)

// metrics count what builds do. Labels are words of the API and names of the
// settings, never of users, so there is a bound on how many series there are.
type metrics struct {
	builds *prometheus.HistogramVec
	queue  prometheus.Histogram
	steps  *prometheus.HistogramVec
}

// durations are the bounds of what takes from a tenth of a second to hours.
var durations = prometheus.ExponentialBuckets(0.1, 3, 11) // 0.1 s to 1.6 h

// newMetrics registers the metrics of the server and of its process. Those of
// the API are in package api.
func (s *Server) newMetrics() *prometheus.Registry {
	s.metrics = metrics{
		builds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ingot_build_seconds", Help: "Time from the request to the end of a build, by the status of its image then.", Buckets: durations,
		}, []string{"status"}),
		queue: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ingot_queue_wait_seconds", Help: "Time from the request for a build to its slot.", Buckets: durations,
		}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ingot_build_step_seconds", Help: "Time of an attempt at a step of a workflow, by action and status.", Buckets: durations,
		}, []string{"action", "status"}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(s.metrics.builds, s.metrics.queue, s.metrics.steps, gauges{s}, info(s.Version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// info is a metric that is always 1.
func info(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ingot_info", Help: "1, for the version of the server.", ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

func (m metrics) observe(p build.Part) {
	seconds := p.End.Sub(p.Start).Seconds()
	switch p.Kind {
	case build.PartBuild:
		m.builds.WithLabelValues(p.Status).Observe(seconds)
	case build.PartQueue:
		m.queue.Observe(seconds)
	case build.PartStep:
		m.steps.WithLabelValues(p.Action, p.Status).Observe(seconds)
	}
}

// Metrics are for operators: everything that the server counts.
func (s *Server) Metrics() http.Handler { return api.MetricsHandler(s.registry) }

// gauges read what the parts of the server count anyway. Nothing is looked for
// in the store, so a scrape costs the same however much there is.
type gauges struct{ *Server }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descBuilds    = describe("ingot_builds", "Images that are being made, by status.", "status")
	descQueue     = describe("ingot_queue_builds", "Builds that wait for a slot.")
	descHeld      = describe("ingot_build_slots_used", "Slots that builds have.")
	descSlots     = describe("ingot_build_slots", "Slots that there are.")
	descInstances = describe("ingot_instances", "Instances that run, by kind.", "kind")
	descBlocks    = describe("ingot_blocks", "Blocks of 512 KiB that a region stores.", "region")
	descUses      = describe("ingot_block_uses", "Uses of blocks by snapshots: the blocks there would be if none were shared.", "region")
	descWritten   = describe("ingot_block_written_bytes_total", "Bytes of blocks that were stored since the start, compressed.", "region")
	descWaiting   = describe("ingot_outbox_deliveries", "Deliveries of notices that have not arrived.")
	descDead      = describe("ingot_outbox_dead_deliveries", "Deliveries of notices that are not tried any more.")
)

func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descBuilds, descQueue, descHeld, descSlots, descInstances, descBlocks, descUses, descWritten, descWaiting, descDead,
	} {
		ch <- d
	}
}

// scrapeTime bounds what a scrape waits for.
const scrapeTime = 5 * time.Second

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	load := g.builder.Load()
	for status, n := range load.Images {
		gauge(descBuilds, n, string(status))
	}
	gauge(descQueue, load.Queued)
	gauge(descHeld, load.Held)
	gauge(descSlots, load.Slots)
	for _, r := range g.regions.Opened() {
		c := r.Disks.Counts()
		gauge(descBlocks, c.Blocks, r.Name)
		gauge(descUses, c.Uses, r.Name)
		ch <- prometheus.MustNewConstMetric(descWritten, prometheus.CounterValue, float64(c.Written), r.Name)
	}
	running, err := g.running(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descInstances, err)
	}
	for kind, n := range running {
		gauge(descInstances, n, kind)
	}
	backlog, err := g.db.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descWaiting, err)
		return
	}
	gauge(descWaiting, backlog.Waiting)
	gauge(descDead, backlog.Dead)
}

// running counts the instances that run, by kind.
func (s *Server) running(ctx context.Context) (map[string]int, error) {
	ids, err := s.instanceIDs()
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for kind := range s.drivers {
		n[kind] = 0
	}
	for _, id := range ids {
		i, err := adopt(ctx, s.drivers, id)
		if err != nil {
			continue // it ended while we looked
		}
		state, err := i.State(ctx)
		if err == nil && (state.Phase == compute.PhaseStarting || state.Phase == compute.PhaseRunning) {
			n[state.Kind]++
		}
	}
	return n, nil
}
