package engine

// modelCard is a model in the answer to /v1/models, with the fields of vLLM and SGLang.
type modelCard struct {
	ID          string  `json:"id"`
	Object      string  `json:"object"`
	Created     int64   `json:"created"`
	OwnedBy     string  `json:"owned_by"`
	Root        string  `json:"root"`
	Parent      *string `json:"parent"`
	MaxModelLen int     `json:"max_model_len"`
}

// modelList is the answer to /v1/models.
func modelList(f Facts, owner string) any {
	card := modelCard{
		ID: f.ServedModel, Object: "model", Created: f.Start.Unix(), OwnedBy: owner, Root: f.ServedModel, MaxModelLen: f.MaxModelTokens,
	}
	return struct {
		Object string      `json:"object"`
		Data   []modelCard `json:"data"`
	}{"list", []modelCard{card}}
}
