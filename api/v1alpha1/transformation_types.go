package v1alpha1

// TransformationType names a kind of step.
// +kubebuilder:validation:Enum=polars;datafusion;gpu;neuromorphic;custom;predict;filter;enrich;aggregate;jsonParse
type TransformationType string

// Transformation types.
const (
	TransformPolars       TransformationType = "polars"
	TransformDataFusion   TransformationType = "datafusion"
	TransformGPU          TransformationType = "gpu"
	TransformNeuromorphic TransformationType = "neuromorphic"
	TransformCustom       TransformationType = "custom"
	TransformPredict      TransformationType = "predict"
	TransformFilter       TransformationType = "filter"
	TransformEnrich       TransformationType = "enrich"
	TransformAggregate    TransformationType = "aggregate"
	TransformJSONParse    TransformationType = "jsonParse"
)

// Transformation is one step between source and destination: set name, type and the member that type names. The rows
// of the step before are its input, under the name input.
// +kubebuilder:validation:XValidation:rule="has(self.polars) == (self.type == 'polars') && has(self.datafusion) == (self.type == 'datafusion') && has(self.gpu) == (self.type == 'gpu') && has(self.neuromorphic) == (self.type == 'neuromorphic') && has(self.custom) == (self.type == 'custom') && has(self.predict) == (self.type == 'predict') && has(self.filter) == (self.type == 'filter') && has(self.enrich) == (self.type == 'enrich') && has(self.aggregate) == (self.type == 'aggregate') && has(self.jsonParse) == (self.type == 'jsonParse')",message="transformation: set the member that type names, and no other",messageExpression="'transformation ' + self.name + ' has type ' + self.type + ': set the member ' + self.type + ', and no other'"
type Transformation struct {
	// Name of the step, in receipts, metrics and messages. Unique in the pipeline.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a step's name holds lower-case letters, digits and '-', and begins and ends with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['source', 'destination', 'ledger', 'input'])",message="source, destination, ledger and input are names of the pipeline's own steps; choose another name"
	// +required
	Name string `json:"name"`

	// Type of the step. The member of that name must be set.
	// +required
	Type TransformationType `json:"type"`

	// Polars runs a Python script over the lazy frame input.
	// +optional
	Polars *PolarsStep `json:"polars,omitempty"`

	// DataFusion runs an SQL query over the table input.
	// +optional
	DataFusion *DataFusionStep `json:"datafusion,omitempty"`

	// GPU runs an SQL query over the table input with GPU kernels.
	// +optional
	GPU *GPUStep `json:"gpu,omitempty"`

	// Neuromorphic runs a spiking model over events, one state per key.
	// +optional
	Neuromorphic *NeuromorphicStep `json:"neuromorphic,omitempty"`

	// Custom runs code of the user's own: a Python script or a WebAssembly module.
	// +optional
	Custom *CustomStep `json:"custom,omitempty"`

	// Predict adds a column that a model computes.
	// +optional
	Predict *PredictStep `json:"predict,omitempty"`

	// Filter keeps the rows that meet an expression.
	// +optional
	Filter *FilterStep `json:"filter,omitempty"`

	// Enrich adds columns from a second source.
	// +optional
	Enrich *EnrichStep `json:"enrich,omitempty"`

	// Aggregate groups rows.
	// +optional
	Aggregate *AggregateStep `json:"aggregate,omitempty"`

	// JSONParse turns a column of JSON text into columns.
	// +optional
	JSONParse *JSONParseStep `json:"jsonParse,omitempty"`
}

// PolarsStep runs a Python script with Polars, in the engine container, which has no credentials.
type PolarsStep struct {
	// Script: Python whose last expression (or the name result) is a LazyFrame or DataFrame; input is the lazy frame of
	// the rows, pl is Polars. A column that does not exist fails the run, and the message lists the columns there are.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +required
	Script string `json:"script"`

	// Tables are further inputs of the step, each read whole from a source of its own and joined under its name. The names
	// must differ from input. Default: none. A step with tables needs the whole input unless rowWise says otherwise.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Tables []NamedSource `json:"tables,omitempty"`

	// RowWise says that each output row depends on one input row only, so that the input may be shared out and streamed in
	// batches. Wrongly set, aggregates and windows see one batch only. Default: false.
	// +optional
	RowWise *bool `json:"rowWise,omitempty"`
}

// DataFusionStep runs an SQL query with Apache DataFusion, in the engine container, which has no credentials.
type DataFusionStep struct {
	// Query: one SELECT over the table input. A column that does not exist fails the run, and the message lists the
	// columns there are.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +required
	Query string `json:"query"`

	// Tables are further inputs of the step, each read whole from a source of its own and joined under its name. The names
	// must differ from input. Default: none. A step with tables needs the whole input unless rowWise says otherwise.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Tables []NamedSource `json:"tables,omitempty"`

	// RowWise says that each output row depends on one input row only, so that the input may be shared out and streamed in
	// batches. Wrongly set, aggregates and windows see one batch only. Default: false.
	// +optional
	RowWise *bool `json:"rowWise,omitempty"`
}

// NamedSource is a further input of a step.
// +kubebuilder:validation:XValidation:rule="self.source.type != 'pulsar'",message="a stream cannot be read whole; give tables sources of files or a table"
type NamedSource struct {
	// Name of the table, or in a Polars script of the lazy frame: a letter, then letters, digits and underscores.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z][a-z0-9_]*$') && self != 'input' && self != 'pl'",message="a table's name begins with a lower-case letter and holds lower-case letters, digits and '_'; input and pl are taken"
	// +required
	Name string `json:"name"`

	// Source of the rows: files or icebergTable.
	// +required
	Source PipelineSource `json:"source"`
}

// GPUStep runs an SQL query with GPU kernels.
type GPUStep struct {
	// SQL: one SELECT over the table input, in DuckDB's dialect. What the kernels lack runs on the CPU engine, and the
	// receipt names the operator, unless spec.gpu.policy is Required.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +required
	SQL string `json:"sql"`

	// RowWise says that each output row depends on one input row only, so that the input may be shared out and streamed in
	// batches. Wrongly set, aggregates and windows see one batch only. Default: false.
	// +optional
	RowWise *bool `json:"rowWise,omitempty"`
}

// FilterStep keeps the rows for which an expression is true.
type FilterStep struct {
	// Expression: an SQL condition over the input's columns, in DuckDB's dialect. Rows for which it is false or NULL are left out.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +required
	Expression string `json:"expression"`
}

// AggregateStep groups the rows of the whole input.
type AggregateStep struct {
	// GroupBy columns. Default: none, which makes one row.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +optional
	GroupBy []string `json:"groupBy,omitempty"`

	// Measures: one output column each.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=name
	// +required
	Measures []Measure `json:"measures"`
}

// Measure is an output column of an aggregation.
type Measure struct {
	// Name of the output column. A name that groupBy has too fails the run.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Name string `json:"name"`

	// Expression: an SQL aggregate over the input's columns, such as sum(fare) or count(*), in DuckDB's dialect.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +required
	Expression string `json:"expression"`
}

// JoinType says what happens to rows that find no partner.
// +kubebuilder:validation:Enum=Left;Inner
type JoinType string

// Join types.
const (
	// JoinLeft keeps them, with NULL in the taken columns.
	JoinLeft JoinType = "Left"
	// JoinInner leaves them out.
	JoinInner JoinType = "Inner"
)

// EnrichStep joins the rows with a second source, which must fit into memory.
// +kubebuilder:validation:XValidation:rule="has(self.using) != has(self.onPairs)",message="set either using (columns of the same name on both sides) or onPairs"
// +kubebuilder:validation:XValidation:rule="self.source.type != 'pulsar'",message="a stream cannot be looked up; give enrich a source of files, a table or a database"
type EnrichStep struct {
	// Source of the second table. A key that it holds twice fails the run, because it would multiply rows.
	// +required
	Source PipelineSource `json:"source"`

	// Using are the key columns, of the same name on both sides, as in SQL's JOIN ... USING.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=set
	// +optional
	Using []string `json:"using,omitempty"`

	// OnPairs are the key columns, where their names differ.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	OnPairs []JoinPair `json:"onPairs,omitempty"`

	// Take are the columns of the second table that are added. Default: all but the keys; a name that the input has already fails the run.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +optional
	Take []TakeColumn `json:"take,omitempty"`

	// Join: Left keeps rows without a partner; Inner leaves them out. Default: Left.
	// +optional
	Join JoinType `json:"join,omitempty"`
}

// JoinPair is a key column on both sides of a join.
type JoinPair struct {
	// Input is the column of the pipeline's rows.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Input string `json:"input"`

	// Source is the column of the second table.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Source string `json:"source"`
}

// TakeColumn is a column that enrich adds.
type TakeColumn struct {
	// From is the column's name in the second table.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	From string `json:"from"`

	// As is its name in the output. Default: the same name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	As string `json:"as,omitempty"`
}

// ParseErrorPolicy says what happens to a row whose text cannot be parsed.
// +kubebuilder:validation:Enum=Reject;Null;Fail
type ParseErrorPolicy string

// Parse error policies.
const (
	// ParseReject puts the row into the rejects file.
	ParseReject ParseErrorPolicy = "Reject"
	// ParseNull keeps the row with NULL in the parsed columns.
	ParseNull ParseErrorPolicy = "Null"
	// ParseFail fails the run.
	ParseFail ParseErrorPolicy = "Fail"
)

// JSONParseStep turns JSON text into columns.
// +kubebuilder:validation:XValidation:rule="has(self.columns) != has(self.schemaFrom)",message="set either columns or schemaFrom: destination"
type JSONParseStep struct {
	// Column that holds the JSON text. Default: the message itself (value), for streams.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Column string `json:"column,omitempty"`

	// Columns to make, by the names of the object's members.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +optional
	Columns []Column `json:"columns,omitempty"`

	// SchemaFrom: destination takes names and types from the destination table.
	// +kubebuilder:validation:Enum=destination
	// +optional
	SchemaFrom string `json:"schemaFrom,omitempty"`

	// OnError: Reject, Null or Fail. Default: Reject.
	// +optional
	OnError ParseErrorPolicy `json:"onError,omitempty"`
}
