package explain

import (
	"context"

	"dettrace/internal/vary"
)

// Outside is how a run with sources varied compares to one without: what
// another machine would make of the command.
type Outside struct {
	Result string  `json:"result"` // same, different
	Vary   string  `json:"vary"`   // what was varied, as --vary takes it
	Status int     `json:"status"` // of the varied run
	Base   int     `json:"base_status"`
	Tail   string  `json:"tail,omitempty"` // of the varied run, if it failed
	Places []Place `json:"places"`
}

// Outside makes the two runs.
func (p *Program) Outside(ctx context.Context, plan vary.Plan) (*Outside, error) {
	p.Jobs = make(chan struct{}, 1)
	base, err := p.Run(ctx, vary.Plan{}, true, false)
	if err != nil {
		return nil, err
	}
	other, err := p.Run(ctx, plan, true, false)
	if err != nil {
		return nil, err
	}
	o := &Outside{Result: "same", Vary: plan.String(), Status: other.Status, Base: base.Status, Places: []Place{}}
	if other.failed() {
		o.Tail = other.Tail
	}
	if len(differ(base, other)) == 0 && base.Status == other.Status && base.Reason == other.Reason {
		return o, nil
	}
	o.Result = "different"
	places, err := p.places(base, other)
	o.Places = append(o.Places, places...)
	return o, err
}
