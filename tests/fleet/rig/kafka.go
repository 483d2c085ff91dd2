package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is a broker with its own controller (KRaft mode) on loopback.
type Kafka struct {
	*Process
	Address string
	classes string
}

const kafkaSettings = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=500
`

const kafkaLog = `log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%p %m (%c)%n
`

// NewKafka starts a broker and makes the topics of docs/sharding.md.
func NewKafka(tb testing.TB) *Kafka {
	tb.Helper()
	libraries := Built(tb, "kafka/kafka-tools-3.9.1.jar")
	dir := tb.TempDir()
	port := FreePort(tb)
	settings, logging := filepath.Join(dir, "server.properties"), filepath.Join(dir, "log4j.properties")
	require.NoError(tb, os.WriteFile(settings, fmt.Appendf(nil, kafkaSettings, port, FreePort(tb), filepath.Join(dir, "data")), 0o600))
	require.NoError(tb, os.WriteFile(logging, []byte(kafkaLog), 0o600))
	k := &Kafka{Address: Local(port), classes: filepath.Dir(libraries) + "/*"}
	k.tool(tb, "kafka.tools.StorageTool", "format", "--cluster-id", "b3RlbGNvbC1pbmZlcmVuYw", "--config", settings)
	k.Process = Run(tb, "kafka", exec.Command("java", "-Xmx512m", "-Xms256m", "-Dlog4j.configuration=file:"+logging, "-cp", k.classes, "kafka.Kafka", settings))
	k.topics(tb)
	return k
}

func (k *Kafka) tool(tb testing.TB, class string, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "java", append([]string{"-cp", k.classes, class}, args...)...).CombinedOutput()
	require.NoError(tb, err, "%s: %s", class, out)
}

// topics makes the sixteen topics of one partition that agents write to.
func (k *Kafka) topics(tb testing.TB) {
	tb.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Address))
	require.NoError(tb, err)
	defer client.Close()
	names := make([]string, 0, 16)
	for _, digit := range "0123456789abcdef" {
		names = append(names, "inference-fleets-"+string(digit))
	}
	Eventually(tb, "the broker makes topics", func() bool {
		ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Second)
		defer cancel()
		made, err := kadm.NewClient(client).CreateTopics(ctx, 1, 1, nil, names...)
		return err == nil && made.Error() == nil
	})
}
