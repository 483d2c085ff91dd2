package grafana

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryQueryFitsTheVocabulary(t *testing.T) {
	all, err := Dashboards()
	require.NoError(t, err)
	for _, d := range all {
		_, err := d.JSON()
		assert.NoError(t, err)
	}
}
