#pragma once
// How an executor finds out what its model needs: it is told, or it probes.

#include <span>

#include "device/calibration.hpp"
#include "model/session.hpp"

namespace pantile {

/// The type of the numbers that a run computes with, as it enters the key of a calibration.
inline constexpr const char* precision_f32 = "f32";

/// The calibration of an open model. One of `known` that has this key is taken as it is, if the smallest of its probes
/// still needs what it did: that is a run of some milliseconds, and the engine is warm afterwards, as it is after
/// probes. Else the model is probed, under the meter's cap. From then on the session plans its memory.
/// Throws Error if the model runs at no size.
[[nodiscard]] Calibration calibrate(Session& session, const CalibrationKey& key, std::span<const Calibration> known,
                                    ProbeOptions options);

}  // namespace pantile
