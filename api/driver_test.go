package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"ingot.dev/ingot/model"
)

// driver calls operations by name, with requests and responses in the wire's form.
type driver struct {
	*world
	now    *time.Time
	driven map[string]bool
	calls  int
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// call sends a request and returns what the client made of the answer, without
// requestId and clientToken: they are checked here.
func (d *driver) call(operation string, in obj) (obj, error) {
	d.t.Helper()
	d.calls++
	d.driven[operation] = true
	method := reflect.ValueOf(d.Client).MethodByName(operation)
	input := reflect.New(method.Type().In(1).Elem())
	token := fmt.Sprintf("token-%d", d.calls)
	in = maps.Clone(in)
	delete(in, "dryRun") // newer than the client in most operations
	if _, ok := routeOf(operation).Input.Member("clientToken"); ok {
		in["clientToken"] = token
	}
	data, err := json.Marshal(in)
	must(d.t, err)
	decoder := json.NewDecoder(bytes.NewReader(data)) // names match in any case
	decoder.DisallowUnknownFields()
	must(d.t, decoder.Decode(input.Interface()))
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), input})
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	output := results[0].Elem()
	out := wireOf(output).(obj)
	if output.FieldByName("RequestId").IsValid() && !uuidPattern.MatchString(fmt.Sprint(out["requestId"])) {
		d.t.Errorf("%s: requestId = %v", operation, out["requestId"])
	}
	if output.FieldByName("ClientToken").IsValid() && out["clientToken"] != token {
		d.t.Errorf("%s: clientToken = %v, want %s", operation, out["clientToken"], token)
	}
	delete(out, "requestId")
	delete(out, "clientToken")
	return out, nil
}

// expect calls an operation and compares the whole answer.
func (d *driver) expect(operation string, in, want obj) {
	d.t.Helper()
	got, err := d.call(operation, in)
	if err != nil {
		d.t.Errorf("%s: %v", operation, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", operation, diff)
	}
}

// refuses calls an operation that has to fail.
func (d *driver) refuses(operation string, in obj, exception string) {
	d.t.Helper()
	_, err := d.call(operation, in)
	wantError(d.t, operation, err, exception)
}

// request is the valid request of an operation.
func (d *driver) request(operation string) obj {
	for _, r := range d.requests() {
		if r.operation == operation {
			return r.in
		}
	}
	panic("no request of " + operation)
}

// wireOf is a value of the client's types in the form of the wire.
func wireOf(v reflect.Value) any {
	if at, ok := v.Interface().(time.Time); ok {
		return float64(model.EpochOf(at))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return wireOf(v.Elem())
	case reflect.Struct:
		return wireMembers(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for n := range list {
			list[n] = wireOf(v.Index(n))
		}
		return list
	case reflect.Map:
		entries := obj{}
		for _, k := range v.MapKeys() {
			entries[k.String()] = wireOf(v.MapIndex(k))
		}
		return entries
	case reflect.Int32, reflect.Int64:
		return float64(v.Int())
	case reflect.Bool:
		return v.Bool()
	case reflect.Float64:
		return v.Float()
	}
	return v.String()
}

// wireMembers leaves out what is absent. What the client cannot tell from
// absent, a zero that is no pointer, is there.
func wireMembers(v reflect.Value) obj {
	members := obj{}
	for n := range v.NumField() {
		field, f := v.Type().Field(n), v.Field(n)
		nilable := f.Kind() == reflect.Pointer || f.Kind() == reflect.Slice || f.Kind() == reflect.Map
		if !field.IsExported() || field.Name == "ResultMetadata" || nilable && f.IsNil() || f.Kind() == reflect.String && f.Len() == 0 {
			continue
		}
		name := []rune(field.Name)
		members[string(unicode.ToLower(name[0]))+string(name[1:])] = wireOf(f)
	}
	return members
}

// with is an object with more members; nil takes one out.
func (o object) with(more obj) obj {
	c := maps.Clone(obj(o))
	for k, v := range more {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

type object obj

// only is an object with some of its members.
func (o object) only(names ...string) obj {
	c := maps.Clone(obj(o))
	maps.DeleteFunc(c, func(k string, _ any) bool { return !slices.Contains(names, k) })
	return c
}

// references are the latestVersionReferences of an ARN without its build.
func references(version string) obj {
	name, v := version[:strings.LastIndexByte(version, '/')+1], version[strings.LastIndexByte(version, '/')+1:]
	node := strings.Split(v, ".")
	return obj{
		"latestVersionArn": name + "x.x.x", "latestMajorVersionArn": name + node[0] + ".x.x",
		"latestMinorVersionArn": name + node[0] + "." + node[1] + ".x", "latestPatchVersionArn": name + v,
	}
}
