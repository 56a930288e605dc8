package controllers

import "github.com/amdgpu-framework/datastack/controllers/internal/runs"

// WorkerConfig is what the manager's flags say about worker pods.
type WorkerConfig = runs.Config
