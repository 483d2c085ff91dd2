package physics

// Work is what one engine step has to do; the zero value is no work.
type Work struct {
	PrefillTokens    int     // p: prompt tokens computed in this step
	PrefillSequences int     // requests these belong to
	PrefillOutputs   int     // of these, requests that produce their first token now
	PrefillContext   float64 // a: sum over those tokens of their own context length, tokens^2
	DecodeSequences  int     // n: sequences that produce at least one further token
	DecodeTokens     int     // rows computed for them, proposed tokens to verify included; 0 means one a sequence
	DecodeContext    float64 // c: tokens those sequences attend to, this one included
	Adapters         int     // distinct LoRA adapters used in this step
}

// PrefillOnly is the same step without its decodes: the player Pf of the Shapley game.
func (w Work) PrefillOnly() Work {
	w.DecodeSequences, w.DecodeTokens, w.DecodeContext = 0, 0, 0
	w.Adapters = min(w.Adapters, w.PrefillSequences)
	return w
}

// DecodeOnly is the same step without its prefill: the player De.
func (w Work) DecodeOnly() Work {
	return Work{
		DecodeSequences: w.DecodeSequences, DecodeTokens: w.DecodeTokens, DecodeContext: w.DecodeContext,
		Adapters: min(w.Adapters, w.DecodeSequences),
	}
}

// decodeRows is the number of rows the decodes bring into the step's matrix products.
func (w Work) decodeRows() int {
	if w.DecodeTokens > 0 {
		return w.DecodeTokens
	}
	return w.DecodeSequences
}
