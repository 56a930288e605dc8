package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
// +kubebuilder:validation:XValidation:rule="has(self.on) != has(self.onPairs)",message="set either on (columns of the same name on both sides) or onPairs"
// +kubebuilder:validation:XValidation:rule="self.source.type != 'pulsar'",message="a stream cannot be looked up; give enrich a source of files, a table or a database"
type EnrichStep struct {
	// Source of the second table. A key that it holds twice fails the run, because it would multiply rows.
	// +required
	Source PipelineSource `json:"source"`

	// On are the key columns, of the same name on both sides.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=set
	// +optional
	On []string `json:"on,omitempty"`

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

// NeuromorphicReadout is what a spiking model gives back.
// +kubebuilder:validation:Enum=Spikes;Voltage;Rate;FirstSpike
type NeuromorphicReadout string

// Neuromorphic readouts.
const (
	ReadoutSpikes     NeuromorphicReadout = "Spikes"
	ReadoutVoltage    NeuromorphicReadout = "Voltage"
	ReadoutRate       NeuromorphicReadout = "Rate"
	ReadoutFirstSpike NeuromorphicReadout = "FirstSpike"
)

// NeuromorphicStep runs a spiking model, with a state of its own for each key.
type NeuromorphicStep struct {
	// Model to run: neurons given here, or a trained NIR graph.
	// +required
	Model NeuromorphicModel `json:"model"`

	// KeyColumn: rows of one key share a state. Default: one state for all rows.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	KeyColumn string `json:"keyColumn,omitempty"`

	// TimeColumn by which the rows of a key are ordered; the state decays with the time between them. A row older than
	// its key's state is a rejected row.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	TimeColumn string `json:"timeColumn"`

	// Inputs are the numeric columns that feed the model, in the order of its inputs.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +required
	Inputs []string `json:"inputs"`

	// Encoder turns values into currents or spikes: Direct (the value is the current), Rate, Latency or Delta. Default: Direct.
	// +kubebuilder:validation:Enum=Direct;Rate;Latency;Delta
	// +optional
	Encoder string `json:"encoder,omitempty"`

	// TimeStep of the simulation. Default: 1ms.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$')",message="write a duration such as 100us, 1ms or 20ms"
	// +optional
	TimeStep *metav1.Duration `json:"timeStep,omitempty"`

	// Readout: Spikes (count since the last row), Voltage, Rate (spikes a second) or FirstSpike. Default: Spikes.
	// +optional
	Readout NeuromorphicReadout `json:"readout,omitempty"`

	// OutputColumn that is added. Default: the step's name with '-' as '_'; several outputs add _0, _1, ...
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	OutputColumn string `json:"outputColumn,omitempty"`

	// GapPolicy, when a key is silent for longer than maxGap: Decay (the state goes on decaying) or Reset. Default: Decay.
	// +kubebuilder:validation:Enum=Decay;Reset
	// +optional
	GapPolicy string `json:"gapPolicy,omitempty"`

	// MaxGap after which gapPolicy: Reset forgets a key's state. Default: 1h.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$')",message="write a duration such as 20ms, 10s or 1h"
	// +optional
	MaxGap *metav1.Duration `json:"maxGap,omitempty"`
}

// NeuromorphicModel is a spiking model.
// +kubebuilder:validation:XValidation:rule="has(self.lif) != has(self.nir)",message="set either lif or nir"
type NeuromorphicModel struct {
	// LIF is one leaky integrate-and-fire neuron per input.
	// +optional
	LIF *LIFModel `json:"lif,omitempty"`

	// NIR is a trained graph in the Neuromorphic Intermediate Representation.
	// +optional
	NIR *NIRModel `json:"nir,omitempty"`
}

// LIFModel is a leaky integrate-and-fire neuron: tau dv/dt = (leak - v) + resistance * current; at threshold it spikes, and v becomes reset.
type LIFModel struct {
	// Tau is the membrane's time constant.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$')",message="write a duration such as 2500us or 20ms"
	// +required
	Tau metav1.Duration `json:"tau"`

	// Threshold at which the neuron spikes, a decimal number in quotes.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?$')",message="threshold must be a decimal number in quotes, such as '1.0'"
	// +required
	Threshold string `json:"threshold"`

	// Reset voltage after a spike, a decimal number in quotes. Default: "0".
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?$')",message="reset must be a decimal number in quotes, such as '0.0'"
	// +optional
	Reset string `json:"reset,omitempty"`

	// Leak is the resting voltage, a decimal number in quotes. Default: "0".
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?$')",message="leak must be a decimal number in quotes, such as '0.0'"
	// +optional
	Leak string `json:"leak,omitempty"`

	// Resistance that the current is multiplied with, a decimal number in quotes. Default: "1".
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[0-9]+([.][0-9]+)?$')",message="resistance must be a decimal number in quotes, such as '1.0'"
	// +optional
	Resistance string `json:"resistance,omitempty"`
}

// NIRModel is a trained spiking graph in a file.
type NIRModel struct {
	// Storage that holds the file.
	// +required
	Storage Storage `json:"storage"`

	// Path of the .nir file, relative to the storage. A graph with a primitive that is not supported fails the run, by its name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path"`

	// Integration: Euler or Exact. Backends of NIR differ here. Default: Euler.
	// +kubebuilder:validation:Enum=Euler;Exact
	// +optional
	Integration string `json:"integration,omitempty"`
}

// CustomStep runs code of the user's own, without token, credentials or network.
// +kubebuilder:validation:XValidation:rule="has(self.python) != has(self.wasm)",message="set either python or wasm"
type CustomStep struct {
	// Python is a script, run in the engine container.
	// +optional
	Python *PythonCode `json:"python,omitempty"`

	// WASM is a WebAssembly module, run inside the worker with bounded memory.
	// +optional
	WASM *WASMCode `json:"wasm,omitempty"`

	// RowWise says that each output row depends on one input row only, so that the input may be shared out. Default: false.
	// +optional
	RowWise *bool `json:"rowWise,omitempty"`
}

// PythonCode is a Python script.
type PythonCode struct {
	// Script that defines transform(batch): it takes a pyarrow.RecordBatch and gives one back. An exception fails the
	// run with its traceback's last lines.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +required
	Script string `json:"script"`
}

// WASMCode is a WebAssembly module in a ConfigMap.
type WASMCode struct {
	// ConfigMapRef names the ConfigMap that holds the module.
	// +required
	ConfigMapRef LocalRef `json:"configMapRef"`

	// Key of the ConfigMap's binaryData.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key"`

	// Function that is called with each batch, as Arrow IPC. Default: transform.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Function string `json:"function,omitempty"`

	// MemoryMiB that the module may use. Default: 256.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4096
	// +optional
	MemoryMiB *int32 `json:"memoryMiB,omitempty"`
}

// PredictStep adds what a model computes from each row.
// +kubebuilder:validation:XValidation:rule="has(self.onnx) != has(self.model)",message="set either onnx or model"
type PredictStep struct {
	// ONNX is a trained model in a file.
	// +optional
	ONNX *ONNXModel `json:"onnx,omitempty"`

	// Model that is fitted to the step's own input: Linear, Logistic, KMeans, HoltWinters or Anomaly. The whole input is read first.
	// +kubebuilder:validation:Enum=Linear;Logistic;KMeans;HoltWinters;Anomaly
	// +optional
	Model string `json:"model,omitempty"`

	// Features are the input columns, in the model's order.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +required
	Features []string `json:"features"`

	// Label is the column to predict, for the models that learn from one (Linear, Logistic).
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Label string `json:"label,omitempty"`

	// OutputColumn that is added. Default: prediction.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	OutputColumn string `json:"outputColumn,omitempty"`

	// Parameters of the model, such as k for KMeans or season for HoltWinters; decimal numbers or words. An unknown one fails the run.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	Parameters map[string]string `json:"parameters,omitempty"`
}

// ONNXModel is a trained model in ONNX format.
type ONNXModel struct {
	// Storage that holds the file.
	// +required
	Storage Storage `json:"storage"`

	// Path of the .onnx file, relative to the storage.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Path string `json:"path"`

	// Output of the model that becomes the column. Default: the first.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Output string `json:"output,omitempty"`
}
