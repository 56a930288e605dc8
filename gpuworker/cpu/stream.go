package cpu

/*
#include <stdlib.h>
#include <stdint.h>

struct ArrowSchema;
struct ArrowArray;

// The stream of the Arrow C data interface.
struct ArrowArrayStream {
	int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema*);
	int (*get_next)(struct ArrowArrayStream*, struct ArrowArray*);
	const char* (*get_last_error)(struct ArrowArrayStream*);
	void (*release)(struct ArrowArrayStream*);
	void* private_data;
};
*/
import "C"

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/cdata"
)

// newStream allocates a stream where C may keep it.
func newStream() unsafe.Pointer { return C.calloc(1, C.sizeof_struct_ArrowArrayStream) }

func releaseStream(stream unsafe.Pointer) {
	cdata.ReleaseCArrowArrayStream((*cdata.CArrowArrayStream)(stream))
	C.free(stream)
}
