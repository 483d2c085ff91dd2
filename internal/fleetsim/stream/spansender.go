package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Protocol is how spans travel.
type Protocol int

// The protocols of OTEL_EXPORTER_OTLP_TRACES_PROTOCOL that both engines take.
const (
	GRPC Protocol = iota
	HTTPProtobuf
)

func (p Protocol) String() string {
	switch p {
	case GRPC:
		return "grpc"
	case HTTPProtobuf:
		return "http/protobuf"
	}
	return fmt.Sprintf("Protocol(%d)", int(p))
}

// maxResponse bounds the answer of an HTTP receiver in bytes.
const maxResponse = 1 << 20

// sender exports one request and returns how many spans the receiver rejected.
type sender interface {
	send(ctx context.Context, request ptraceotlp.ExportRequest) (rejected int64, err error)
	close() error
}

func newSender(p Protocol, endpoint string) (sender, error) {
	switch p {
	case GRPC:
		return newGRPCSender(endpoint)
	case HTTPProtobuf:
		return newHTTPSender(endpoint)
	}
	return nil, fmt.Errorf("protocol: must be grpc or http/protobuf, got %v", p)
}

type grpcSender struct {
	conn   *grpc.ClientConn
	client ptraceotlp.GRPCClient
}

// newGRPCSender takes host:port or http://host:port: engines connect without TLS whatever the scheme.
func newGRPCSender(endpoint string) (*grpcSender, error) {
	target := strings.TrimPrefix(endpoint, "http://")
	if target == "" || strings.Contains(target, "://") || strings.Contains(target, "/") {
		return nil, fmt.Errorf("endpoint: must be host:port or http://host:port for grpc, got %q", endpoint)
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	return &grpcSender{conn: conn, client: ptraceotlp.NewGRPCClient(conn)}, nil
}

func (s *grpcSender) send(ctx context.Context, request ptraceotlp.ExportRequest) (int64, error) {
	response, err := s.client.Export(ctx, request)
	if err != nil {
		return 0, err
	}
	return response.PartialSuccess().RejectedSpans(), nil
}

func (s *grpcSender) close() error { return s.conn.Close() }

type httpSender struct {
	url       string
	transport *http.Transport
	client    http.Client
}

// newHTTPSender takes the whole URL, path included, as the engines' exporters do.
func newHTTPSender(endpoint string) (*httpSender, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.Join(fmt.Errorf("endpoint: must be a URL such as http://host:4318/v1/traces for http/protobuf, got %q", endpoint), err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &httpSender{url: endpoint, transport: transport, client: http.Client{Transport: transport}}, nil
}

func (s *httpSender) send(ctx context.Context, request ptraceotlp.ExportRequest) (int64, error) {
	body, err := request.MarshalProto()
	if err != nil {
		return 0, err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	post.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := s.client.Do(post)
	if err != nil {
		return 0, err
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return 0, err
	}
	if answer.StatusCode/100 != 2 {
		return 0, fmt.Errorf("%s answered %s", s.url, answer.Status)
	}
	response := ptraceotlp.NewExportResponse()
	if err := response.UnmarshalProto(content); err != nil {
		return 0, fmt.Errorf("%s answered %d bytes that are no export response: %w", s.url, len(content), err)
	}
	return response.PartialSuccess().RejectedSpans(), nil
}

func (s *httpSender) close() error {
	s.transport.CloseIdleConnections()
	return nil
}
