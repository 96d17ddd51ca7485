#pragma once

namespace router {

/// The program's, `1.2.3`.
const char* program_version();

}  // namespace router
