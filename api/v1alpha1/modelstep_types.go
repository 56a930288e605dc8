package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 100us, 1ms or 20ms"
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
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 20ms, 10s or 1h"
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
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(us|ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 2500us or 20ms"
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
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 63 && self[k].size() <= 256)",message="a parameter's name has at most 63 characters, and its value at most 256"
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
