// Package fleet tests agents and gateways of the real binary: fleets that meet, gateways that come and go, and that no accepted point is lost
// whatever breaks. `make test-fleet` runs it.
package fleet
