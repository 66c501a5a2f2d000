package engine

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
)

// Lost returns a channel that is closed when the connection to the engine breaks, as it does when the engine ends or starts again. It is
// watched until ctx ends; nil where the engine cannot be watched, or is reached over a network, which may break while the engine goes on.
func (c *Client) Lost(ctx context.Context) <-chan struct{} {
	if !strings.HasPrefix(c.endpoint, "unix://") && !strings.HasPrefix(c.endpoint, "npipe://") {
		return nil
	}
	// A label that nothing has: of the stream of events only its end counts.
	stream := c.api.Events(ctx, client.EventsListOptions{Filters: make(client.Filters).Add("label", "io.github.memsys.none")})
	select {
	case <-stream.Err:
		return nil
	default:
	}
	lost := make(chan struct{})
	go func() {
		for {
			select {
			case <-stream.Messages:
			case <-stream.Err:
				if ctx.Err() == nil {
					close(lost)
				}
				return
			}
		}
	}()
	return lost
}
