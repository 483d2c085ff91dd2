package grafana

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// answer is what Prometheus says to a query: its samples, or nothing for one that is not there yet.
type answer struct {
	Status string          `json:"status"`
	Error  string          `json:"error"`
	Data   json.RawMessage `json:"data"`
}

type sampleOf struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

var client = &http.Client{Timeout: 10 * time.Second}

func answers(address string) bool {
	response, err := client.Get(address)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK
}

// ask reads a page of Prometheus' API into data.
func (r road) ask(path string, form url.Values, data any) error {
	response, err := client.Get(r.url + path + "?" + form.Encode())
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return err
	}
	if a.Status != "success" {
		return fmt.Errorf("%s: %s", form.Get("query"), a.Error)
	}
	return json.Unmarshal(a.Data, data)
}

// query returns the samples that are numbers; infinities are, what is not is no data.
func (r road) query(expression string) ([]sampleOf, error) {
	var result struct {
		Result []sampleOf `json:"result"`
	}
	if err := r.ask("/api/v1/query", url.Values{"query": {expression}}, &result); err != nil {
		return nil, err
	}
	var numbers []sampleOf
	for _, s := range result.Result {
		text, _ := s.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			numbers = append(numbers, s)
		}
	}
	return numbers, nil
}
