package format

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// These implement zapcore.ObjectEncoder, beside AddObject, AddString and OpenNamespace. Each is declared, none is
// left to the embedded encoder, which may be shared.

// AddArray implements zapcore.ObjectEncoder.
func (f *Format) AddArray(key string, a zapcore.ArrayMarshaler) error {
	return f.own().AddArray(key, a)
}

// AddReflected implements zapcore.ObjectEncoder.
func (f *Format) AddReflected(key string, v any) error { return f.own().AddReflected(key, v) }

// AddBinary implements zapcore.ObjectEncoder.
func (f *Format) AddBinary(key string, v []byte) { f.own().AddBinary(key, v) }

// AddBool implements zapcore.ObjectEncoder.
func (f *Format) AddBool(key string, v bool) { f.own().AddBool(key, v) }

// AddByteString implements zapcore.ObjectEncoder.
func (f *Format) AddByteString(key string, v []byte) { f.own().AddByteString(key, v) }

// AddComplex128 implements zapcore.ObjectEncoder.
func (f *Format) AddComplex128(key string, v complex128) { f.own().AddComplex128(key, v) }

// AddComplex64 implements zapcore.ObjectEncoder.
func (f *Format) AddComplex64(key string, v complex64) { f.own().AddComplex64(key, v) }

// AddDuration implements zapcore.ObjectEncoder.
func (f *Format) AddDuration(key string, v time.Duration) { f.own().AddDuration(key, v) }

// AddFloat32 implements zapcore.ObjectEncoder.
func (f *Format) AddFloat32(key string, v float32) { f.own().AddFloat32(key, v) }

// AddFloat64 implements zapcore.ObjectEncoder.
func (f *Format) AddFloat64(key string, v float64) { f.own().AddFloat64(key, v) }

// AddInt implements zapcore.ObjectEncoder.
func (f *Format) AddInt(key string, v int) { f.own().AddInt(key, v) }

// AddInt16 implements zapcore.ObjectEncoder.
func (f *Format) AddInt16(key string, v int16) { f.own().AddInt16(key, v) }

// AddInt32 implements zapcore.ObjectEncoder.
func (f *Format) AddInt32(key string, v int32) { f.own().AddInt32(key, v) }

// AddInt64 implements zapcore.ObjectEncoder.
func (f *Format) AddInt64(key string, v int64) { f.own().AddInt64(key, v) }

// AddInt8 implements zapcore.ObjectEncoder.
func (f *Format) AddInt8(key string, v int8) { f.own().AddInt8(key, v) }

// AddTime implements zapcore.ObjectEncoder.
func (f *Format) AddTime(key string, v time.Time) { f.own().AddTime(key, v) }

// AddUint implements zapcore.ObjectEncoder.
func (f *Format) AddUint(key string, v uint) { f.own().AddUint(key, v) }

// AddUint16 implements zapcore.ObjectEncoder.
func (f *Format) AddUint16(key string, v uint16) { f.own().AddUint16(key, v) }

// AddUint32 implements zapcore.ObjectEncoder.
func (f *Format) AddUint32(key string, v uint32) { f.own().AddUint32(key, v) }

// AddUint64 implements zapcore.ObjectEncoder.
func (f *Format) AddUint64(key string, v uint64) { f.own().AddUint64(key, v) }

// AddUint8 implements zapcore.ObjectEncoder.
func (f *Format) AddUint8(key string, v uint8) { f.own().AddUint8(key, v) }

// AddUintptr implements zapcore.ObjectEncoder.
func (f *Format) AddUintptr(key string, v uintptr) { f.own().AddUintptr(key, v) }
