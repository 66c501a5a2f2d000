package backup

import (
	"context"
	"encoding/json"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/progress"
)

// crossing is Local behind a line: all that goes in and out is JSON on the way. The tests of this package back up through it.
type crossing struct{ local Local }

// crossed is what of v comes out of its JSON.
func crossed[T any](v T) (out T) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}

func (c crossing) Look(ctx context.Context, req LookRequest) (*Looked, error) {
	looked, err := c.local.Look(ctx, crossed(req))
	return crossed(looked), err
}

func (c crossing) Restless(ctx context.Context, req RestlessRequest) ([]archive.Problem, error) {
	problems, err := c.local.Restless(ctx, crossed(req))
	return crossed(problems), err
}

func (c crossing) Read(ctx context.Context, req ReadRequest, sink progress.Sink) (Reading, error) {
	r, err := c.local.Read(ctx, crossed(req), sink)
	if err != nil {
		return nil, err
	}
	return crossedReading{r}, nil
}

type crossedReading struct{ Reading }

func (r crossedReading) Copied() Copied { return crossed(r.Reading.Copied()) }

func (r crossedReading) Inspect(ctx context.Context, o inventory.Options) ([]inventory.Report, error) {
	reports, err := r.Reading.Inspect(ctx, crossed(o))
	return crossed(reports), err
}

func (r crossedReading) Complete(ctx context.Context, c Completion) (*archive.Manifest, error) {
	m, err := r.Reading.Complete(ctx, crossed(c))
	return crossed(m), err
}
