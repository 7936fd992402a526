#pragma once
// Rows for `--format table|json|csv`. stdout is data: a table has no decoration that a script would have to strip.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pantile {

enum class TableFormat { table, json, csv };
[[nodiscard]] std::optional<TableFormat> parse_table_format(std::string_view text);

/// std::monostate: no value; empty in table and csv, null in JSON.
using Cell = std::variant<std::monostate, std::string, std::int64_t, std::uint64_t, double, bool>;

class Table {
 public:
  /// The names are the JSON keys and the CSV header.
  explicit Table(std::vector<std::string> columns) : columns_{std::move(columns)} {}
  /// Precondition: as many cells as columns.
  void add(std::vector<Cell> row);
  /// table: aligned columns, numbers to the right, a header; json: an array of objects; csv: RFC 4180 with \n.
  /// Ends in a newline.
  [[nodiscard]] std::string text(TableFormat format) const;

 private:
  [[nodiscard]] std::string json_text() const;
  [[nodiscard]] std::string aligned_text() const;

  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace pantile
