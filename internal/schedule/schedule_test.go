package schedule

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"dettrace/internal/sched"
)

func TestRoundTrip(t *testing.T) {
	f := File{Schema: Version, Seed: 1<<64 - 1, Decisions: []sched.Decision{
		{Thread: -1, Next: 1},
		{Thread: 3, Event: 7, End: 2, Next: 1},
		{Thread: 0, Event: 1, Plan: &sched.Plan{Switch: true}},
		{Thread: 0, Event: 1, Plan: &sched.Plan{Steps: 12}},
		{Thread: 0, Event: 1, Plan: &sched.Plan{Watch: 0x1000, Hits: 3}},
	}, Switches: []Switch{{From: "a", Where: "read", To: "b", Resumes: "futex"}}}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("%+v, %v\nwant %+v", got, err, f)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{}`, `{"schema":2}`, `{"schema":1,"more":1}`,
		`{"schema":1,"decisions":[{"thread":-2,"event":0}]}`,
		`{"schema":1,"decisions":[{"thread":0,"event":0,"next":-1}]}`,
		`{"schema":1,"decisions":[{"thread":0,"event":0,"plan":{}}]}`,
		`{"schema":1,"decisions":[{"thread":0,"event":0,"plan":{"steps":-1}}]}`,
		`{"schema":1,"decisions":[{"thread":0,"event":0,"plan":{"steps":1,"switch":true}}]}`,
		`{"schema":1,"decisions":[{"thread":0,"event":0,"plan":{"watch":4,"hits":1}}]}`,
	} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
