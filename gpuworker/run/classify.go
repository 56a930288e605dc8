package run

import "github.com/amdgpu-framework/datastack/api/v1alpha1"

// split cuts a chain before its first step that needs the whole input. The first part may run in shards, each over a share
// of the rows; the rest runs once, over all rows that the shards give.
func split(chain []v1alpha1.Transformation) (rowWise, whole []v1alpha1.Transformation) {
	for i, t := range chain {
		if !isRowWise(t) {
			return chain[:i], chain[i:]
		}
	}
	return chain, nil
}

// chain gives the steps that shards do, and those that run once over the rows of all shards. A single shard does all.
func (r *runner) chain() (sharded, whole []v1alpha1.Transformation) {
	if r.pipeline.Parallelism == 1 {
		return r.pipeline.Transformations, nil
	}
	return split(r.pipeline.Transformations)
}

// isRowWise says whether each output row of a step depends on one input row only (design §5).
func isRowWise(t v1alpha1.Transformation) bool {
	marked := func(b *bool) bool { return b != nil && *b }
	switch t.Type {
	case v1alpha1.TransformFilter, v1alpha1.TransformEnrich, v1alpha1.TransformJSONParse:
		return true
	case v1alpha1.TransformPolars:
		return t.Polars != nil && marked(t.Polars.RowWise)
	case v1alpha1.TransformDataFusion:
		return t.DataFusion != nil && marked(t.DataFusion.RowWise)
	case v1alpha1.TransformGPU:
		return t.GPU != nil && marked(t.GPU.RowWise)
	case v1alpha1.TransformCustom:
		return t.Custom != nil && marked(t.Custom.RowWise)
	}
	return false
}

// shareOf is the part of n things that falls to a shard: every shards-th one, so that sizes even out.
func shareOf[T any](all []T, shard, shards int) []T {
	share := make([]T, 0, len(all)/shards+1)
	for i := shard; i < len(all); i += shards {
		share = append(share, all[i])
	}
	return share
}
