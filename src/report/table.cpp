#include "report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/error.hpp"
#include "report/columns.hpp"
#include "report/to_json_text.hpp"

namespace pantile {
namespace {

using Json = nlohmann::ordered_json;

std::string cell_text(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return value;
        } else {
          return fmt::format("{}", value);
        }
      },
      cell);
}

Json cell_json(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
          return nullptr;
        } else {
          return value;
        }
      },
      cell);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string{c};
  }
  return quoted + '"';
}

bool is_number(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<std::uint64_t>(cell) ||
         std::holds_alternative<double>(cell);
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::vector<std::string> quoted;
  std::transform(fields.begin(), fields.end(), std::back_inserter(quoted), csv_field);
  return fmt::format("{}\n", fmt::join(quoted, ","));
}

std::vector<std::string> texts(const std::vector<Cell>& row) {
  std::vector<std::string> all;
  std::transform(row.begin(), row.end(), std::back_inserter(all), cell_text);
  return all;
}

}  // namespace

std::optional<TableFormat> parse_table_format(std::string_view text) {
  return text == "table"  ? std::optional{TableFormat::table}
         : text == "json" ? std::optional{TableFormat::json}
         : text == "csv"  ? std::optional{TableFormat::csv}
                          : std::nullopt;
}

void Table::add(std::vector<Cell> row) {
  expect(row.size() == columns_.size(), "a row has a cell for each column");
  rows_.push_back(std::move(row));
}

std::string Table::text(TableFormat format) const {
  switch (format) {
    case TableFormat::json: return json_text();
    case TableFormat::csv: {
      std::string text = csv_line(columns_);
      for (const auto& row : rows_) {
        text += csv_line(texts(row));
      }
      return text;
    }
    case TableFormat::table: break;
  }
  return aligned_text();
}

std::string Table::json_text() const {
  Json all = Json::array();
  for (const auto& row : rows_) {
    Json object = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      object[columns_[i]] = cell_json(row[i]);
    }
    all.push_back(std::move(object));
  }
  return to_json_text(all, 1);
}

std::string Table::aligned_text() const {
  std::vector<std::vector<std::string>> lines{columns_};
  for (const auto& row : rows_) {
    lines.push_back(texts(row));
  }
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i] = clean(line[i], Charset::utf8);
      widths[i] = std::max(widths[i], columns(line[i]));
    }
  }
  std::string text;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool right = !rows_.empty() && is_number(rows_[at == 0 ? 0 : at - 1][i]);
      line += (i == 0 ? "" : "  ") + (right ? pad_left(lines[at][i], widths[i]) : pad_right(lines[at][i], widths[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace pantile
