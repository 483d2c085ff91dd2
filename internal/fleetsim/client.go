package fleetsim

import (
	"fmt"
	"time"
)

// Client is what callers do when a worker goes down with their request.
type Client struct {
	Retries int           `json:"retries" yaml:"retries"`    // times a lost request is sent again; 0: never
	Backoff time.Duration `json:"backoff_ns" yaml:"backoff"` // before it is sent again
}

func (c Client) validate() error {
	if c.Retries < 0 {
		return fmt.Errorf("client.retries: must be at least 0, is %d", c.Retries)
	}
	if c.Backoff < 0 {
		return fmt.Errorf("client.backoff: must be at least 0s, is %s", c.Backoff)
	}
	return nil
}
