package inferencedashboardexporter // import "github.com/otelcol-inference/otelcol-inference/exporter/inferencedashboardexporter"

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	maxLinks    = 16
	maxLinkName = 64
	maxLinkURL  = 2048
)

// Link leads from the page to another tool, with what the reader looks at.
type Link struct {
	// Name is what the link is called.
	Name string `mapstructure:"name" json:"name"`
	// URL is its address, http or https, in which {fleet}, {worker}, {host}, {model}, {from} and {to} stand for what is looked at, the times in
	// Unix milliseconds, {from_seconds} and {to_seconds} in seconds. One that names {worker}, {host} or {model} is shown while a worker is chosen.
	URL string `mapstructure:"url" json:"url"`

	_ struct{}
}

// linkPlaces are the names that stand for something in the address of a link.
func linkPlaces() []string {
	return []string{"fleet", "worker", "host", "model", "from", "to", "from_seconds", "to_seconds"}
}

func validateLinks(links []Link) error {
	if len(links) > maxLinks {
		return fmt.Errorf("links: must be at most %d (got %d)", maxLinks, len(links))
	}
	var errs []error
	for i, l := range links {
		if l.Name == "" || len(l.Name) > maxLinkName {
			errs = append(errs, fmt.Errorf("links[%d].name: must have 1..%d bytes (got %d)", i, maxLinkName, len(l.Name)))
		}
		if err := validateLinkURL(l.URL); err != nil {
			errs = append(errs, fmt.Errorf("links[%d].url: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// validateLinkURL refuses what a browser would not open as a page, and an address whose host a label could change.
func validateLinkURL(template string) error {
	if len(template) > maxLinkURL {
		return fmt.Errorf("must have at most %d bytes (got %d)", maxLinkURL, len(template))
	}
	for _, place := range regexp.MustCompile(`\{([^{}]*)\}`).FindAllStringSubmatch(template, -1) {
		if !slices.Contains(linkPlaces(), place[1]) {
			return fmt.Errorf("{%s} stands for nothing; known are {%s}", place[1], strings.Join(linkPlaces(), "}, {"))
		}
	}
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(template))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("must be an http or https address (got %q)", template)
	}
	if u.User != nil {
		return errors.New("must not hold credentials: every reader of the page would see them")
	}
	if !strings.HasPrefix(template, u.Scheme+"://"+u.Host) {
		return fmt.Errorf("host must be written out (got %q)", template)
	}
	return nil
}
