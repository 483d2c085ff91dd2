module github.com/otelcol-inference/otelcol-inference/tests

go 1.26.0

require (
	github.com/otelcol-inference/otelcol-inference v0.0.0
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.6
)

require github.com/klauspost/compress v1.20.0 // indirect

replace github.com/otelcol-inference/otelcol-inference => ../
