package engine

import (
	"io"
	"testing"
)

func BenchmarkPage(b *testing.B) {
	for _, name := range []string{NameVLLM, NameSGLang, NameTensorRT} {
		b.Run(name, func(b *testing.B) {
			book := newBook(b, name, facts())
			feed(book)
			b.SetBytes(int64(len(pageOf(b, book))))
			b.ReportAllocs()
			for b.Loop() {
				if err := book.WritePage(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStep is what a simulation pays per step for the book.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{NameVLLM, NameSGLang, NameTensorRT} {
		b.Run(name, func(b *testing.B) {
			book := newBook(b, name, everything())
			step := Step{PrefillTokens: 100, DecodeSequences: 8, DecodeContext: 4000, Outputs: 8, State: fedState()}
			b.ReportAllocs()
			for b.Loop() {
				step.End += fedStep
				book.Planned(Lookup{})
				book.Intervals(fedStep, 8)
				book.Step(&step)
			}
		})
	}
}

// BenchmarkNew is the memory of a book.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newBook(b, NameVLLM, facts())
	}
}
