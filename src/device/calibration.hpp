#pragma once
// What is known of a model's memory on a kind of device: found out once, kept, sent, and refined by what is measured.

#include <cstdint>
#include <string>
#include <vector>

#include "base/fields.hpp"
#include "base/hash.hpp"
#include "device/footprint.hpp"

namespace pantile {

/// What a calibration holds for. On anything else the same model may need another amount of memory.
struct CalibrationKey {
  Hash128 model;             ///< of the model's file, and of those with its weights
  std::string precision;     ///< "f32"
  std::string device_class;  ///< "cpu:avx512"
  std::string engine;        ///< "ONNX Runtime 1.31.1"
  bool operator==(const CalibrationKey&) const = default;
};

struct Calibration {
  CalibrationKey key{};
  std::uint64_t weights_bytes = 0;        ///< what the engine holds of the open model before its first run
  std::vector<FootprintSample> probes{};  ///< as measured, before blocks had places of their own
  Footprint footprint{};                  ///< not known if the memory was too little even for the probes
  bool is_cut_short = false;              ///< not all probes found room: another one, with more memory, would know more
  bool operator==(const Calibration&) const = default;
};

template <class Archive>
void fields(Archive& archive, CalibrationKey& key) {
  archive(key.model, key.precision, key.device_class, key.engine);
}
template <class Archive>
void fields(Archive& archive, Calibration& calibration) {
  archive(calibration.key, calibration.weights_bytes, calibration.probes, calibration.footprint,
          calibration.is_cut_short);
}

}  // namespace pantile
