package scenario

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed ready/*.yaml
var readyFiles embed.FS

// ready is the text of a built-in scenario.
func ready(name string) ([]byte, bool) {
	text, err := readyFiles.ReadFile(path.Join("ready", name+".yaml"))
	return text, err == nil
}

// Names lists the built-in scenarios.
func Names() []string {
	entries, err := readyFiles.ReadDir("ready")
	if err != nil {
		return nil // the folder is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}
