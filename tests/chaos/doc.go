// Package chaos lets a simulated fleet fail in every way it can, for minutes, before the eyes of the real collector. `make chaos` runs it.
package chaos
